import type { Connection } from "../fleet/connection.js";
import { findInventory, type Inventory, selectNodes } from "../fleet/inventory.js";
import type { Told } from "../playbooks/engine/fleet.js";
import { provisionedSinceBoot, provisionNode, WAIT } from "../playbooks/engine/inspect.js";
import type { NamedPlaybook } from "../playbooks/engine/plan.js";
import type { Writers } from "../report/writers.js";
import { durationOption } from "./duration.js";
import { onEachReported, show, type VerifyOptions, verdictCode, verify, wanted } from "./verify.js";

export interface ProvisionOptions extends VerifyOptions {
  check?: boolean;
  ifRebooted?: boolean;
  lockWait?: string;
}

/** `muster provision [PLAYBOOK...]`: brings every node into the state that its playbooks want. Answers the exit code. */
export async function provision(names: string[], options: ProvisionOptions, writers: Writers): Promise<number> {
  if (options.check) return verify(names, options, writers);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const playbooks = await wanted(names, inventory);
  const nodes = selectNodes(inventory, options.limit);
  const seconds = options.lockWait === undefined ? WAIT : durationOption("--lock-wait", options.lockWait);
  const bring = (connection: Connection) => bringNode(connection, playbooks, inventory, options, seconds, writers);
  const reports = await onEachReported(nodes, bring, options, writers);
  show(reports, options, writers);
  return verdictCode(reports, 3);
}

async function bringNode(
  connection: Connection,
  playbooks: NamedPlaybook[],
  inventory: Inventory,
  options: ProvisionOptions,
  seconds: number,
  writers: Writers,
): Promise<Told> {
  const { name } = connection.node;
  const waiting = () => {
    if (!options.quiet) writers.err(`${name}: another provision runs there; waiting for it, ${seconds} s at most`);
  };
  if (options.ifRebooted && (await provisionedSinceBoot(connection, playbooks, waiting, seconds)))
    return { skipped: "not rebooted since the last provision that succeeded" };
  return provisionNode(connection, undefined, playbooks, inventory, waiting, seconds);
}
