import type { Connection } from "../../fleet/connection.js";
import { forEachNode, type NodeOutcome } from "../../fleet/eachnode.js";
import type { Node } from "../../fleet/node.js";
import type { MusterError } from "../../schemas/errors.js";
import type { NodeInspection } from "./provisionnode.js";

/** What came of one node. `skipped`: why there was nothing to do. */
export type NodeReport =
  | { node: Node; inspection: NodeInspection }
  | { node: Node; skipped: string }
  | { node: Node; error: MusterError };

export type InspectionResult = NodeInspection | { skipped: string };

/**
 * Does `work` on every node, each as soon as it is connected, and tells of each as it is done. Resolves with a report for each, in
 * the order of `nodes`; a node that cannot be reached is told in its own report.
 */
export async function inspectEachNode(
  nodes: Node[],
  work: (connection: Connection) => Promise<InspectionResult>,
  done: (report: NodeReport) => void,
): Promise<NodeReport[]> {
  const outcomes = await forEachNode(nodes, work, (outcome) => done(toNodeReport(outcome)));
  return outcomes.map(toNodeReport);
}

function toNodeReport(outcome: NodeOutcome<InspectionResult>): NodeReport {
  if ("error" in outcome) return outcome;
  const { node, value } = outcome;
  return "skipped" in value ? { node, ...value } : { node, inspection: value };
}
