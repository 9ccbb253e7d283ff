import type { Connection } from "../../fleet/connection.js";
import { forEachNode, type NodeOutcome } from "../../fleet/eachnode.js";
import type { Node } from "../../fleet/node.js";
import type { MusterError } from "../../schemas/errors.js";
import type { NodeInspection } from "./provisionnode.js";

/** The result of the work on one node. `skipped`: why there was nothing to do; `notStarted`: why others had to stop it. */
export type NodeReport =
  | { node: Node; inspection: NodeInspection }
  | { node: Node; skipped: string }
  | { node: Node; notStarted: string }
  | { node: Node; error: MusterError };

export type InspectionResult = NodeInspection | { skipped: string } | { notStarted: string };

/**
 * Runs `work` on all nodes in parallel and calls `onReport` for each node as it finishes. Resolves with the reports in the order of
 * `nodes`. The error of a node, e.g. that it is unreachable, is in its report.
 */
export async function inspectEachNode(
  nodes: Node[],
  work: (connection: Connection) => Promise<InspectionResult>,
  onReport: (report: NodeReport) => void,
): Promise<NodeReport[]> {
  const outcomes = await forEachNode(nodes, work, (outcome) => onReport(toNodeReport(outcome)));
  return outcomes.map(toNodeReport);
}

function toNodeReport(outcome: NodeOutcome<InspectionResult>): NodeReport {
  if ("error" in outcome) return outcome;
  const { node, value } = outcome;
  return "verdicts" in value ? { node, inspection: value } : { node, ...value };
}
