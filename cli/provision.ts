import type { Connection } from "../fleet/connection.js";
import { findInventory, type Inventory, selectNodes } from "../fleet/inventory.js";
import type { InspectionResult } from "../playbooks/engine/inspecteachnode.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import { LOCK_WAIT_SECONDS, provisionedSinceBoot, provisionNode } from "../playbooks/engine/provisionnode.js";
import type { Writers } from "../report/writers.js";
import { parseDurationOption } from "./options.js";
import { type DriftReportOptions, exitStatusOfReports, loadRequestedPlaybooks, reportOnNodes } from "./playbooks.js";

export interface ProvisionOptions extends DriftReportOptions {
  check?: boolean;
  ifRebooted?: boolean;
  lockWait?: string;
}

/** `muster provision [PLAYBOOK...]`: brings every node into the state that its playbooks describe. Returns the exit status. */
export async function provision(names: string[], options: ProvisionOptions, writers: Writers): Promise<number> {
  if (options.check) return (await import("./verify.js")).verify(names, options, writers);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const playbooks = await loadRequestedPlaybooks(names, inventory);
  const nodes = selectNodes(inventory, options.limit);
  const waitSeconds =
    options.lockWait === undefined ? LOCK_WAIT_SECONDS : parseDurationOption("--lock-wait", options.lockWait);
  const work = (connection: Connection) =>
    provisionOne(connection, playbooks, inventory, options, waitSeconds, writers);
  const reports = await reportOnNodes(nodes, work, options, writers);
  return exitStatusOfReports(reports, 3);
}

async function provisionOne(
  connection: Connection,
  playbooks: NamedPlaybook[],
  inventory: Inventory,
  options: ProvisionOptions,
  waitSeconds: number,
  writers: Writers,
): Promise<InspectionResult> {
  const { name } = connection.node;
  const onWait = () => {
    if (!options.quiet)
      writers.err(`${name}: another provision is running on this node; waiting for it for at most ${waitSeconds} s`);
  };
  if (options.ifRebooted && (await provisionedSinceBoot(connection, playbooks, onWait, waitSeconds)))
    return { skipped: "not rebooted since the last successful provision" };
  return provisionNode(connection, undefined, playbooks, inventory, onWait, waitSeconds);
}
