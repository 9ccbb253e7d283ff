import { distance } from "fastest-levenshtein";

/** Finds the word of `known` that `word` is most likely a misspelling of, by Levenshtein distance; undefined if none is near. */
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

/** How many known words are listed. */
const MAX_LISTED = 12;

/** Returns "did you mean X?", or the list of known words if none is near (of many, the nearest); undefined if there are none. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  const all = [...known];
  const near = findNearest(word, all);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (all.length === 0) return undefined;
  if (all.length <= MAX_LISTED) return `known here: ${all.join(", ")}`;
  const byDistance = all.map((one) => ({ one, far: editDistance(normalizeWord(word), normalizeWord(one)) }));
  const nearest = byDistance.sort((a, b) => a.far - b.far).slice(0, MAX_LISTED);
  return `known here: ${nearest.map(({ one }) => one).join(", ")} and ${all.length - MAX_LISTED} more`;
}

/** The Levenshtein distance, except that the same letters in another order count as one edit. */
function editDistance(one: string, other: string): number {
  const isScrambled = one.length === other.length && [...one].sort().join("") === [...other].sort().join("");
  return isScrambled ? Math.min(1, distance(one, other)) : distance(one, other);
}

function normalizeWord(word: string): string {
  return word.toLowerCase().replaceAll("-", "_");
}
