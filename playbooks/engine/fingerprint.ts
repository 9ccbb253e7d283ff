import { createHash } from "node:crypto";
import type { ObservedVerdict } from "./reconcile.js";
import type { FileState } from "./resource.js";

/** Answers are no deeper than several trees; what a node makes up may be. */
const MAX_ANSWER_DEPTH = 4;

/** SHA-256 over what was judged and what was found there: two nodes (or two days) with the same one are in the same state. */
export function computeFingerprint(judged: ObservedVerdict[]): string {
  const parts = judged.map(({ playbook, resource, state, differences, have }) => [
    playbook,
    resource,
    state === "changed" ? "ok" : state,
    state === "changed" ? [] : differences.map(({ what, have, want }) => [what, have, want]),
    selectStable(have),
  ]);
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** What stays the same from one look to the next; free memory and what programs print do not. */
function selectStable(have: unknown, deeper = MAX_ANSWER_DEPTH): unknown {
  if (deeper === 0) return null;
  if (Array.isArray(have)) return have.map((one) => selectStable(one, deeper - 1));
  if (typeof have !== "object" || have === null) return null;
  if ("kind" in have) return selectStableFile(have as FileState);
  if ("modules" in have) return have;
  if ("exit" in have || "available" in have) return null;
  const entries = Object.entries(have).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([path, state]) => [path, selectStable(state, deeper - 1)]);
}

function selectStableFile({ kind, mode, owner, group, sha256, target }: FileState): unknown {
  return [kind, mode, owner, group, kind === "file" ? sha256 : null, target ?? null];
}
