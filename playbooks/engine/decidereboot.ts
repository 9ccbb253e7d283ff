import type { NodeInspection } from "./provisionnode.js";
import type { Verdict } from "./resource.js";

/** What is to be done about a node that has been provisioned. `resources`: those that need the reboot. */
export type RebootDecision =
  | { do: "nothing" }
  | { do: "reboot"; resources: string[] }
  /** It must not be: something else has failed. */
  | { do: "refuse"; why: string }
  /** It has been, and has not helped. */
  | { do: "give up"; resources: string[] };

/** Pure: decides whether a node is rebooted. `rebootedFor`: the resources for which it has been. A node is rebooted once for each. */
export function decideReboot(verdicts: readonly Verdict[], rebootedFor: ReadonlySet<string>): RebootDecision {
  const resources = verdicts.filter(({ state }) => state === "needs reboot").map(({ resource }) => resource);
  if (resources.length === 0) return { do: "nothing" };
  const failed = verdicts.find(({ state }) => state === "failed");
  if (failed !== undefined) return { do: "refuse", why: `it is not rebooted, because ${failed.resource} has failed` };
  return { do: resources.some((resource) => rebootedFor.has(resource)) ? "give up" : "reboot", resources };
}

/** Pure: returns the inspection of a node that is not rebooted although it needs that: what needs it has failed. */
export function refuseReboot(inspection: NodeInspection, why: string, next: string): NodeInspection {
  const verdicts = inspection.verdicts.map((verdict) =>
    verdict.state === "needs reboot" ? { ...verdict, state: "failed" as const, reason: why, next } : verdict,
  );
  return { ...inspection, verdicts };
}

/** Pure: returns the inspection after a reboot, in which what the pass before it has changed, or staged for the reboot, counts as changed. */
export function joinPasses(before: NodeInspection, after: NodeInspection): NodeInspection {
  const earlier = new Map(before.verdicts.map((verdict) => [verdict.resource, verdict]));
  const verdicts = after.verdicts.map((verdict) => {
    const first = earlier.get(verdict.resource);
    if (verdict.state !== "ok" || first === undefined) return verdict;
    const hasChanged = first.state === "changed" || first.state === "needs reboot";
    return hasChanged ? { ...verdict, state: "changed" as const, differences: first.differences } : verdict;
  });
  return { ...after, verdicts };
}
