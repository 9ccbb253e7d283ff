/** How many times a property is checked, at most, until random runs have brought every event that it is about. */
const MAX_ROUNDS = 10;

/**
 * Calls `checkProperty`, which returns how often each event came in its random runs, until each of `wanted` has come; at most
 * ten times. Returns the sums. A rare event is missing from one round now and then, and from all of them only if it cannot come.
 */
export function countEvents(
  wanted: readonly string[],
  checkProperty: () => ReadonlyMap<string, number>,
): Map<string, number> {
  const sums = new Map(wanted.map((event) => [event, 0]));
  for (let round = 0; round < MAX_ROUNDS; round++) {
    for (const [event, count] of checkProperty()) sums.set(event, (sums.get(event) ?? 0) + count);
    if (wanted.every((event) => sums.get(event)! > 0)) break;
  }
  return sums;
}
