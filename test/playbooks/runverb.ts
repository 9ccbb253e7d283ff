import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type MusterResult, runMuster } from "../cli/startmuster.js";
import type { InventoryChange, Lab } from "../lab/lab.js";

/** One row of what verify and provision answer with --json. */
export interface NodeRow {
  node: string;
  state: string;
  reason?: string;
  code?: string;
  fingerprint?: string;
  resources: {
    resource: string;
    state: string;
    reason?: string;
    next?: string;
    notes: string[];
    differences: Diff[];
  }[];
}

interface Diff {
  what: string;
  have: string;
  want: string;
  diff?: string;
}

export interface VerbResult extends MusterResult {
  nodes: NodeRow[];
}

/** Runs a verb on a lab's nodes with --json and reads its answer. */
export async function runVerb(inventory: string, words: string[]): Promise<VerbResult> {
  const ran = await runMuster([...words, "-i", inventory, "--json"]);
  const nodes = ran.out === "" ? [] : (JSON.parse(ran.out) as { nodes: NodeRow[] }).nodes;
  return { ...ran, nodes };
}

/** `resource -> state` of one node. */
export function listStates(answer: VerbResult, node = 0): Record<string, string> {
  return Object.fromEntries((answer.nodes[node]?.resources ?? []).map(({ resource, state }) => [resource, state]));
}

/** An inventory with files of the coordinator beside it. */
export function inventoryWith(lab: Lab, change: InventoryChange, files: Record<string, string | Buffer> = {}): string {
  for (const [path, content] of Object.entries(files)) writeFileSync(join(lab.folder, path), content);
  return lab.inventory(change);
}
