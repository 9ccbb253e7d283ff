import type { Connection } from "../fleet/connection.js";
import { findInventory, type Inventory, selectNodes } from "../fleet/inventory.js";
import type { InspectionResult } from "../playbooks/engine/inspecteachnode.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import { LOCK_WAIT_SECONDS, provisionedSinceBoot, provisionNode } from "../playbooks/engine/provisionnode.js";
import type { Writers } from "../report/writers.js";
import { parseDurationOption } from "./duration.js";
import {
  exitStatusOfReports,
  loadRequestedPlaybooks,
  printReports,
  runOnNodes,
  type VerifyOptions,
  verify,
} from "./verify.js";

export interface ProvisionOptions extends VerifyOptions {
  check?: boolean;
  ifRebooted?: boolean;
  lockWait?: string;
}

/** `muster provision [PLAYBOOK...]`: brings every node into the state that its playbooks want. Answers the exit code. */
export async function provision(names: string[], options: ProvisionOptions, writers: Writers): Promise<number> {
  if (options.check) return verify(names, options, writers);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const playbooks = await loadRequestedPlaybooks(names, inventory);
  const nodes = selectNodes(inventory, options.limit);
  const seconds =
    options.lockWait === undefined ? LOCK_WAIT_SECONDS : parseDurationOption("--lock-wait", options.lockWait);
  const bring = (connection: Connection) => provisionOne(connection, playbooks, inventory, options, seconds, writers);
  const reports = await runOnNodes(nodes, bring, options, writers);
  printReports(reports, options, writers);
  return exitStatusOfReports(reports, 3);
}

async function provisionOne(
  connection: Connection,
  playbooks: NamedPlaybook[],
  inventory: Inventory,
  options: ProvisionOptions,
  seconds: number,
  writers: Writers,
): Promise<InspectionResult> {
  const { name } = connection.node;
  const waiting = () => {
    if (!options.quiet) writers.err(`${name}: another provision runs there; waiting for it, ${seconds} s at most`);
  };
  if (options.ifRebooted && (await provisionedSinceBoot(connection, playbooks, waiting, seconds)))
    return { skipped: "not rebooted since the last provision that succeeded" };
  return provisionNode(connection, undefined, playbooks, inventory, waiting, seconds);
}
