import { createHash } from "node:crypto";
import type { ObservedVerdict } from "./reconcileresource.js";
import type { FileState } from "./resource.js";

/** Valid answers are at most this deep; a hostile node may send deeper ones. */
const MAX_ANSWER_DEPTH = 4;

/** Computes a SHA-256 over the verdicts and the observed states. Equal fingerprints mean equal states, of two nodes or two days. */
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

/** Selects the parts of an answer that do not vary from probe to probe; free memory and the output of commands do. */
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
