import { distance } from "fastest-levenshtein";

/** The word of `known` that somebody who wrote `word` most likely meant; undefined when none is near. */
export function findNearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = (word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3))) + 1;
  for (const candidate of known) {
    const far = editDistance(normalizeWord(word), normalizeWord(candidate));
    if (far < least && candidate !== word) {
      least = far;
      best = candidate;
    }
  }
  return best;
}

/** "did you mean X?", or what there is when nothing is near; undefined when there is nothing. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  const all = [...known];
  const near = findNearest(word, all);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (all.length === 0) return undefined;
  return `known here: ${all.slice(0, 30).join(", ")}${all.length > 30 ? ", ..." : ""}`;
}

/** Letters in another order count as one slip of the fingers. */
function editDistance(one: string, other: string): number {
  const isScrambled = one.length === other.length && [...one].sort().join("") === [...other].sort().join("");
  return isScrambled ? Math.min(1, distance(one, other)) : distance(one, other);
}

function normalizeWord(word: string): string {
  return word.toLowerCase().replaceAll("-", "_");
}
