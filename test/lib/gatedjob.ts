import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JobFile } from "../../lib/index.js";
import type { LabNode } from "../lab/lab.js";

/** Where a gate is on each node. */
const FOLDER = "var/tmp/gates";

/** A job whose tasks wait, each for a gate that the test opens; without one they end at once. `gates`: by the id of the task. */
export function gatedJob(name: string, gates: Record<string, string>): JobFile {
  const script = `while [ -n "$1" ] && [ ! -e "/${FOLDER}/$1" ]; do sleep 0.1; done; echo "\\"$0\\""`;
  const tasks = Object.entries(gates).map(([id, gate]) => ({ id, args: [id, gate] }));
  return { name, kind: "tasks", project: "none", command: ["sh", "-c", script], outputs: ["stdout"], tasks };
}

/** Opens a gate on all nodes. */
export function openGate(nodes: readonly LabNode[], gate: string): void {
  for (const { root } of nodes) {
    mkdirSync(join(root, FOLDER), { recursive: true });
    writeFileSync(join(root, FOLDER, gate), "");
  }
}

/** Closes all gates. */
export function closeGates(nodes: readonly LabNode[]): void {
  for (const { root } of nodes) rmSync(join(root, FOLDER), { recursive: true, force: true });
}
