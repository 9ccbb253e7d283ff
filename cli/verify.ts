import type { Connection } from "../fleet/connection.js";
import { type Facts, gatherFacts } from "../fleet/facts.js";
import { findInventory, selectNodes } from "../fleet/inventory.js";
import { verifyNode } from "../playbooks/engine/provisionnode.js";
import { buildVerifyMetrics } from "../report/prometheus.js";
import type { Writers } from "../report/writers.js";
import { writeMetrics } from "./metricsfile.js";
import { type DriftReportOptions, exitStatusOfReports, loadRequestedPlaybooks, reportOnNodes } from "./playbooks.js";

export interface VerifyOptions extends DriftReportOptions {
  /** A file for the textfile collector of node_exporter. */
  metrics?: string;
}

/** `muster verify [PLAYBOOK...]`: reports the drift of every node and changes nothing. Returns the exit status. */
export async function verify(names: string[], options: VerifyOptions, writers: Writers): Promise<number> {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const playbooks = await loadRequestedPlaybooks(names, inventory, options, writers);
  const nodes = selectNodes(inventory, options.limit);
  const factsByNode = new Map<string, Facts>();
  const inspect = async (connection: Connection) => {
    const facts = options.metrics === undefined ? undefined : await gatherFacts(connection);
    if (facts !== undefined) factsByNode.set(connection.node.name, facts);
    return verifyNode(connection, facts, playbooks, inventory);
  };
  const reports = await reportOnNodes(nodes, inspect, options, writers);
  const exit = exitStatusOfReports(reports, 2);
  if (options.metrics !== undefined)
    writeMetrics(options.metrics, buildVerifyMetrics(reports, factsByNode, exit, Date.now() / 1000));
  return exit;
}
