import { checkFileService } from "../fleet/checkfileservice.js";
import { findInventory, selectNodes } from "../fleet/inventory.js";
import { isInstalled, listRequiredPrograms } from "../fleet/local/requiredprograms.js";
import { loadPlaybooks } from "../playbooks/engine/loadplaybooks.js";
import { verifyNode } from "../playbooks/engine/provisionnode.js";
import type { Writers } from "../report/writers.js";
import { describeInventory } from "./describeinventory.js";
import type { CommonOptions } from "./options.js";
import { exitStatusOfReports, reportOnNodes } from "./playbooks.js";

/** Playbooks that only inspect: what every job needs of a node, whatever the inventory lists. */
const DIAGNOSTIC_PLAYBOOKS = ["host", "python", "session", "gpu"];

/**
 * `muster doctor [NODE...]`: reports what keeps this machine or a node from running jobs, and how to repair it. It changes nothing.
 * Returns 0 where everything is in order, 2 where something needs repair, and 3 or 69 where nodes cannot be inspected.
 */
export async function doctor(names: string[], options: CommonOptions, writers: Writers): Promise<number> {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const nodes = selectNodes(inventory, names.length > 0 ? names.join(",") : options.limit);
  const missing = listRequiredPrograms(nodes).filter(({ program }) => !isInstalled(program, process.env.PATH ?? ""));
  const playbooks = await loadPlaybooks(DIAGNOSTIC_PLAYBOOKS, inventory);
  if (!options.quiet && !options.json) {
    writers.err(describeInventory(inventory, options.inventory !== undefined));
    writers.err(
      `here: node ${process.versions.node}${missing.length === 0 ? ", all required programs are installed" : ""}`,
    );
  }
  const inspect = async (connection: Parameters<typeof verifyNode>[0]) => {
    await checkFileService(connection);
    return verifyNode(connection, undefined, playbooks, inventory);
  };
  if (!options.json)
    for (const { program, what, pack } of missing)
      writers.err(`here: ${program} is not installed (${what})\n    next: apt-get install ${pack}`);
  const here = { node: process.versions.node, missing: missing.map(({ program }) => program) };
  const reports = await reportOnNodes(nodes, inspect, options, writers, { here });
  return Math.max(exitStatusOfReports(reports, 2), missing.length > 0 ? 2 : 0);
}
