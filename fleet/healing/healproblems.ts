import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import type { Node } from "../node.js";
import type { HealSettings } from "./healsettings.js";
import { preparePowerCycle } from "./powercycle.js";

/** The node and the host are known to a `power_cycle` command; what else stands in braces is probably misspelt. */
const PLACEHOLDER = /\{[a-z_]+\}/g;

/**
 * Returns what would make each healing of these nodes fail, one sentence each: an `env_file` that cannot be read, a program that is not there,
 * an unknown placeholder. It reads files of this machine, and starts nothing. `folder`: that of the inventory.
 */
export function findHealProblems(nodes: readonly Node[], settings: HealSettings, folder: string): string[] {
  const problems = nodes.flatMap((node) => (node.powerCycle === undefined ? [] : checkCommand(node, settings, folder)));
  return [...new Set(problems)];
}

function checkCommand(node: Node, settings: HealSettings, folder: string): string[] {
  const words = node.powerCycle!.flatMap((word) => word.match(PLACEHOLDER) ?? []);
  const unknown = [...new Set(words)].filter((word) => word !== "{node}" && word !== "{host}");
  const problems = unknown.map((word) => `power_cycle of ${node.name}: ${word} is neither {node} nor {host}`);
  try {
    const [program = ""] = preparePowerCycle(node, settings, folder).argv;
    return isProgram(program, folder) ? problems : [...problems, `power_cycle (${program}): there is no such program`];
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return [...problems, error.message];
  }
}

/** Whether a program can be started in `folder`: by its path, or from PATH. */
function isProgram(program: string, folder: string): boolean {
  if (program.includes("/")) return isExecutable(resolve(folder, program));
  return (process.env.PATH ?? "").split(delimiter).some((one) => isExecutable(join(resolve(folder, one), program)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
