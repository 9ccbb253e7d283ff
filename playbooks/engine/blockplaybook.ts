import type { PlaybookPlan } from "./planresources.js";
import type { ResourceState, Verdict } from "./resource.js";

/** What happens after a playbook whose change takes effect after a reboot: the ones after it follow at once, or after the reboot. */
export type RebootRule = "continue" | "reboot first";

const FAILED: ReadonlySet<ResourceState> = new Set(["failed", "blocked"]);

/** Pure: says why a playbook must not run on a node after these verdicts; undefined: it may. */
export function findPlaybookBlocker(
  { needs }: Pick<PlaybookPlan, "needs">,
  soFar: readonly Pick<Verdict, "playbook" | "resource" | "state">[],
  rule: RebootRule,
): string | undefined {
  const failed = soFar.find(({ playbook, state }) => needs.includes(playbook) && FAILED.has(state));
  if (failed !== undefined) {
    const what = failed.resource === `playbook ${failed.playbook}` ? "which" : `where ${failed.resource}`;
    return `it needs ${failed.playbook}, ${what} ${failed.state === "failed" ? "has failed" : "is blocked"}`;
  }
  const waiting = rule === "continue" ? undefined : soFar.find(({ state }) => state === "needs reboot");
  return waiting === undefined ? undefined : `it runs after the reboot that ${waiting.resource} needs`;
}
