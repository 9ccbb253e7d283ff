/** Playbooks in the order in which they run, or those that need each other in a circle, the first one once more at the end. */
export type PlaybookOrder = { order: string[] } | { cycle: string[] };

/**
 * Pure: orders playbooks so that each follows those that it needs, and otherwise stays where it was requested (depth-first topological sort). What
 * is needed is included. `needsOf`: what each one needs directly.
 */
export function orderPlaybooks(
  requested: readonly string[],
  needsOf: ReadonlyMap<string, readonly string[]>,
): PlaybookOrder {
  const order = new Set<string>();
  const visit = (name: string, above: readonly string[]): string[] | undefined => {
    if (order.has(name)) return undefined;
    if (above.includes(name)) return [...above.slice(above.indexOf(name)), name];
    for (const need of needsOf.get(name) ?? []) {
      const cycle = visit(need, [...above, name]);
      if (cycle !== undefined) return cycle;
    }
    order.add(name);
    return undefined;
  };
  for (const name of requested) {
    const cycle = visit(name, []);
    if (cycle !== undefined) return { cycle };
  }
  return { order: [...order] };
}

/** Pure: returns for each playbook that was not requested the first one that needs it, in the order in which they run. */
export function listIncluded(
  requested: readonly string[],
  order: readonly string[],
  needsOf: ReadonlyMap<string, readonly string[]>,
): { name: string; neededBy: string }[] {
  return order
    .filter((name) => !requested.includes(name))
    .map((name) => ({ name, neededBy: order.find((one) => needsOf.get(one)?.includes(name))! }));
}
