import type { StepOutcome } from "../executor/pipeline/stepcontext.js";
import type { Connection } from "../fleet/connection.js";
import type { Inventory } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { formatLockWait } from "../launch/admissioncheck.js";
import { type InspectionResult, inspectEachNode, type NodeReport } from "../playbooks/engine/inspecteachnode.js";
import { loadPlaybooks } from "../playbooks/engine/loadplaybooks.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import { provisionNode, verifyNode } from "../playbooks/engine/provisionnode.js";
import { type RolloutSettings, rollOut } from "../playbooks/engine/rollout.js";
import {
  buildDriftDocument,
  createDriftTable,
  formatDrift,
  formatDriftTotal,
  formatIncludedPlaybooks,
  formatNodeReport,
  isInSync,
} from "../report/drifttext.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { announceDrains } from "./announcedrains.js";
import type { CommonOptions } from "./options.js";
import { isLive, TablePrinter } from "./tableprinter.js";
import { withProgress } from "./withprogress.js";

/** Options that decide how reports are printed. */
export interface DriftReportOptions extends CommonOptions {
  diff?: boolean;
}

/**
 * Loads the playbooks of these names, or those that the inventory lists where no name is given, and says on stderr which ones are included because
 * those need them. Rejects with UsageError for a name on the command line that no playbook has, and where there is nothing to load.
 */
export async function loadRequestedPlaybooks(
  names: string[],
  inventory: Inventory,
  { quiet, json }: CommonOptions,
  writers: Writers,
): Promise<NamedPlaybook[]> {
  const requested = names.length > 0 ? names : inventory.playbooks;
  if (requested.length === 0)
    throw new UsageError(
      "no playbook given, and the inventory lists none",
      "Name playbooks on the command line, or list them in the inventory: `playbooks: [rocm-env, ramdisk]`.",
    );
  try {
    const playbooks = await loadPlaybooks(requested, inventory);
    const included = formatIncludedPlaybooks(playbooks);
    if (included !== undefined && !quiet && !json) writers.err(included);
    return playbooks;
  } catch (error) {
    const isMisspelt =
      error instanceof MusterError && names.some((name) => error.message.startsWith(`there is no playbook "${name}"`));
    throw isMisspelt ? new UsageError(error.message, error.next) : error;
  }
}

/** How nodes are worked on, if not all at once; other keys are further ones of the JSON document. */
interface ReportExtras {
  rollout?: RolloutSettings;
  [key: string]: unknown;
}

/**
 * Runs `work` on every node with progress on stderr, and prints the reports on stdout: as a table, or with `--json` as one document. Returns
 * the reports in the order of `nodes`.
 */
export async function reportOnNodes(
  nodes: Node[],
  work: (connection: Connection) => Promise<InspectionResult>,
  options: DriftReportOptions,
  writers: Writers,
  { rollout = { size: Math.max(1, nodes.length), maxFailures: nodes.length }, ...documentKeys }: ReportExtras = {},
): Promise<NodeReport[]> {
  announceDrains(nodes, options, writers);
  const names = nodes.map(({ name }) => name);
  const view = { rows: options.verbose ? "all" : "trouble", diffs: options.diff === true } as const;
  const printer = isLive(options) ? new TablePrinter(createDriftTable(names, view), names, writers) : undefined;
  const reports = await withProgress(nodes, options, writers, (done) =>
    rollOut(nodes, rollout, work, (report) => {
      printer?.add(report);
      done(report.node, printer === undefined ? formatNodeReport(report) : undefined);
    }),
  );
  if (options.json) writers.out(formatJson({ ...documentKeys, ...buildDriftDocument(reports) }, 2));
  else if (printer !== undefined) printer.end(reports);
  else if (!options.quiet || !isInSync(reports)) writers.out(formatDrift(reports, view));
  return reports;
}

/** Returns the exit status. `drifted` is the status where every node was inspected and a resource differs. */
export function exitStatusOfReports(reports: NodeReport[], drifted: 2 | 3): number {
  const errors = reports.flatMap((report) => ("error" in report ? [report.error.exitStatus] : []));
  if (errors.length === reports.length && errors.length > 0) return errors.every((exit) => exit === 75) ? 75 : 69;
  const verdicts = reports.flatMap((report) => ("inspection" in report ? report.inspection.verdicts : []));
  const hasFailure = errors.length > 0 || verdicts.some(({ state }) => state === "failed" || state === "blocked");
  if (hasFailure) return 3;
  return verdicts.every(({ state }) => state === "ok" || state === "changed") ? 0 : drifted;
}

/** Runs a pipeline step that provisions or verifies nodes. `print` gets a line for each node when it is done. */
export async function runPlaybookStep(
  kind: "provision" | "verify",
  names: string[],
  nodes: Node[],
  inventory: Inventory,
  print: (line: string) => void,
): Promise<StepOutcome> {
  const playbooks = await loadPlaybooks(names, inventory);
  const work = (connection: Connection) =>
    kind === "verify"
      ? verifyNode(connection, undefined, playbooks, inventory)
      : provisionNode(connection, undefined, playbooks, inventory, {
          onWait: () => print(formatLockWait(connection.node.name)),
        });
  const reports = await inspectEachNode(nodes, work, (report) => print(formatNodeReport(report)));
  const exit = exitStatusOfReports(reports, kind === "verify" ? 2 : 3);
  const drift = buildDriftDocument(reports);
  if (exit === 0) return { state: "complete", drift };
  return { state: exit === 2 ? "drift" : "failed", reason: formatDriftTotal(reports), exit, drift };
}
