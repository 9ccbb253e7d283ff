import { MusterError } from "../../schemas/errors.js";
import type { Playbook, PlaybookContext, Resource } from "./resource.js";

/** A playbook and its name on the command line and in the inventory. */
export interface NamedPlaybook {
  name: string;
  playbook: Playbook;
}

/** A resource of a node's plan, or the error of a playbook that failed to list its resources. */
export type PlanEntry = { playbook: string; resource: Resource } | { playbook: string; error: MusterError };

/** Lists the resources of all playbooks for a node, in the order of the playbooks. The error of a playbook is an entry of its own. */
export async function planResources(context: PlaybookContext, playbooks: NamedPlaybook[]): Promise<PlanEntry[]> {
  const plan: PlanEntry[] = [];
  const owners = new Map<string, string>();
  for (const { name, playbook } of playbooks) {
    try {
      for await (const resource of playbook(context)) {
        const owner = owners.get(resource.name);
        if (owner !== undefined) throw createDuplicateError(resource.name, owner, name);
        owners.set(resource.name, name);
        plan.push({ playbook: name, resource });
      }
    } catch (error) {
      plan.push({ playbook: name, error: toPlaybookError(name, error) });
    }
  }
  return plan;
}

/** Converts what a playbook has thrown to a MusterError (PLAYBOOK, exit 65), unless it is one. */
export function toPlaybookError(name: string, error: unknown): MusterError {
  if (error instanceof MusterError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new MusterError("PLAYBOOK", `the playbook ${name} failed: ${message}`, { cause: error });
}

function createDuplicateError(resource: string, first: string, second: string): MusterError {
  const where = first === second ? `in ${first}` : `in ${first} and in ${second}`;
  return new MusterError("PLAYBOOK", `the resource "${resource}" is there twice, ${where}`, {
    next: "Give one of them another name.",
  });
}
