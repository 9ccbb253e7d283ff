import type { Connection } from "../fleet/connection.js";
import { type Facts, gatherFacts } from "../fleet/facts.js";
import { findInventory, type Inventory, selectNodes } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { type InspectionResult, inspectEachNode, type NodeReport } from "../playbooks/engine/inspecteachnode.js";
import { loadPlaybooks } from "../playbooks/engine/loadplaybooks.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import { verifyNode } from "../playbooks/engine/provisionnode.js";
import { buildDriftDocument, formatDrift, formatNodeReport } from "../report/drifttext.js";
import { buildVerifyMetrics } from "../report/prometheus.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { writeMetrics } from "./metricsfile.js";
import type { CommonOptions } from "./options.js";
import { withProgress } from "./withprogress.js";

export interface VerifyOptions extends CommonOptions {
  diff?: boolean;
  /** A file for node_exporter's textfile collector. */
  metrics?: string;
}

/** `muster verify [PLAYBOOK...]`: says how every node differs from what its playbooks want, and changes nothing. Answers the exit code. */
export async function verify(names: string[], options: VerifyOptions, writers: Writers): Promise<number> {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const playbooks = await loadRequestedPlaybooks(names, inventory);
  const nodes = selectNodes(inventory, options.limit);
  const known = new Map<string, Facts>();
  const look = async (connection: Connection) => {
    const facts = options.metrics === undefined ? undefined : await gatherFacts(connection);
    if (facts !== undefined) known.set(connection.node.name, facts);
    return verifyNode(connection, facts, playbooks, inventory);
  };
  const reports = await runOnNodes(nodes, look, options, writers);
  printReports(reports, options, writers);
  const exit = exitStatusOfReports(reports, 2);
  if (options.metrics !== undefined)
    writeMetrics(options.metrics, buildVerifyMetrics(reports, known, exit, Date.now() / 1000));
  return exit;
}

/** The playbooks of these names, else those that the inventory names. A name on the command line that means none is wrong usage. */
export async function loadRequestedPlaybooks(names: string[], inventory: Inventory): Promise<NamedPlaybook[]> {
  const meant = names.length > 0 ? names : inventory.playbooks;
  if (meant.length === 0)
    throw new UsageError(
      "no playbook is named, and the inventory has none",
      "Name some, or list them in the inventory: `playbooks: [rocm-env, ramdisk]`.",
    );
  try {
    return await loadPlaybooks(meant, inventory);
  } catch (error) {
    const isMisspelt = names.length > 0 && error instanceof MusterError && error.code === "NO_PLAYBOOK";
    throw isMisspelt ? new UsageError(error.message, error.next) : error;
  }
}

/** Does `work` on every node, with progress on stderr: see onEvery. */
export function runOnNodes(
  nodes: Node[],
  work: (connection: Connection) => Promise<InspectionResult>,
  options: CommonOptions,
  writers: Writers,
): Promise<NodeReport[]> {
  return withProgress(nodes, options, writers, (done) =>
    inspectEachNode(nodes, work, (report) => done(report.node, formatNodeReport(report))),
  );
}

/** Prints what came of every node. */
export function printReports(reports: NodeReport[], options: VerifyOptions, writers: Writers): void {
  if (options.json) return writers.out(formatJson(buildDriftDocument(reports), 2));
  const text = formatDrift(reports, { rows: options.quiet ? "trouble" : "all", diffs: options.diff === true });
  if (text !== "") writers.out(text);
}

/** `differs`: the code where every node was looked at and something is not as it should be. */
export function exitStatusOfReports(reports: NodeReport[], differs: 2 | 3): number {
  const errors = reports.flatMap((report) => ("error" in report ? [report.error.exitStatus] : []));
  if (errors.length === reports.length && errors.length > 0) return errors.every((exit) => exit === 75) ? 75 : 69;
  const verdicts = reports.flatMap((report) => ("inspection" in report ? report.inspection.verdicts : []));
  const broken = errors.length > 0 || verdicts.some(({ state }) => state === "failed" || state === "blocked");
  if (broken) return 3;
  return verdicts.every(({ state }) => state === "ok" || state === "changed") ? 0 : differs;
}
