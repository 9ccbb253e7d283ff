import type { Connection } from "../../fleet/connection.js";
import type { Node } from "../../fleet/node.js";
import { type InspectionResult, inspectEachNode, type NodeReport } from "./inspecteachnode.js";
import type { NodeInspection } from "./provisionnode.js";

/** How nodes are provisioned: in batches of `size` nodes, until more than `maxFailures` have failed. */
export interface RolloutSettings {
  size: number;
  maxFailures: number;
}

/**
 * Runs `work` on the nodes batch by batch, those of a batch in parallel. After a batch that brings the failures above the limit, the nodes
 * that are left are not started, and their reports say why. Resolves with the reports in the order of `nodes`.
 */
export async function rollOut(
  nodes: readonly Node[],
  { size, maxFailures }: RolloutSettings,
  work: (connection: Connection) => Promise<InspectionResult>,
  onReport: (report: NodeReport) => void,
): Promise<NodeReport[]> {
  const reports: NodeReport[] = [];
  while (reports.length < nodes.length) {
    const failed = reports.filter(hasFailed).map(({ node }) => node.name);
    if (failed.length > maxFailures) {
      const rest = nodes
        .slice(reports.length)
        .map((node) => ({ node, notStarted: `failed before it: ${failed.join(", ")}` }));
      for (const report of rest) onReport(report);
      return [...reports, ...rest];
    }
    reports.push(...(await inspectEachNode(nodes.slice(reports.length, reports.length + size), work, onReport)));
  }
  return reports;
}

/** Pure: whether a node was not reached, or is not in the state that it should be in. */
function hasFailed(report: NodeReport): boolean {
  if ("error" in report) return true;
  if (!("inspection" in report)) return false;
  return report.inspection.verdicts.some(({ state }) => !["ok", "changed", "needs reboot"].includes(state));
}

/**
 * Pure: returns the inspection of a provision in which what a later look finds changed back has failed. `again`: the same resources, looked
 * at when all changes had been made.
 */
export function confirmInspection(provisioned: NodeInspection, again: NodeInspection): NodeInspection {
  const verdicts = provisioned.verdicts.map((verdict) => {
    const later = again.verdicts.find(({ resource }) => resource === verdict.resource);
    if (later === undefined || (verdict.state !== "ok" && verdict.state !== "changed") || later.state === "ok")
      return verdict;
    const found = later.reason ?? later.differences.map(({ what, have }) => `${what}: ${have}`).join("; ");
    return {
      ...verdict,
      state: "failed" as const,
      differences: later.differences,
      reason: `it was in sync, and is no longer after the other changes: ${found}`,
      next: "Two resources contradict each other, or a change broke this one: look at what else has changed there.",
    };
  });
  return { verdicts, fingerprint: again.fingerprint };
}
