import type { Connection } from "../../fleet/connection.js";
import { type NodeOutcome, onEachNode } from "../../fleet/eachnode.js";
import type { Node } from "../../fleet/node.js";
import type { MusterError } from "../../schemas/errors.js";
import type { Inspection } from "./inspect.js";

/** What came of one node. `skipped`: why there was nothing to do. */
export type NodeReport =
  | { node: Node; inspection: Inspection }
  | { node: Node; skipped: string }
  | { node: Node; error: MusterError };

export type Told = Inspection | { skipped: string };

/**
 * Does `work` on every node, each as soon as it is connected, and tells of each as it is done. Resolves with a report for each, in
 * the order of `nodes`; a node that cannot be reached is told in its own report.
 */
export async function onEvery(
  nodes: Node[],
  work: (connection: Connection) => Promise<Told>,
  done: (report: NodeReport) => void,
): Promise<NodeReport[]> {
  const outcomes = await onEachNode(nodes, work, (outcome) => done(reportOf(outcome)));
  return outcomes.map(reportOf);
}

function reportOf(outcome: NodeOutcome<Told>): NodeReport {
  if ("error" in outcome) return outcome;
  const { node, value } = outcome;
  return "skipped" in value ? { node, ...value } : { node, inspection: value };
}
