import { MusterError } from "../../schemas/errors.js";
import type { Playbook, PlaybookContext, Resource } from "./resource.js";

/** A playbook by the name that the command line and the inventory use. */
export interface NamedPlaybook {
  name: string;
  playbook: Playbook;
}

/** A resource of a node's plan, or a playbook that could not say what it wants there. */
export type PlanEntry = { playbook: string; resource: Resource } | { playbook: string; error: MusterError };

/** What a node must be, in the order of the playbooks. A playbook that fails does not hide the others. */
export async function planResources(subject: PlaybookContext, playbooks: NamedPlaybook[]): Promise<PlanEntry[]> {
  const plan: PlanEntry[] = [];
  const owners = new Map<string, string>();
  for (const { name, playbook } of playbooks) {
    try {
      for await (const resource of playbook(subject)) {
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

/** What a playbook threw, as an error that a person can act on. */
export function toPlaybookError(name: string, error: unknown): MusterError {
  if (error instanceof MusterError) return error;
  const said = error instanceof Error ? error.message : String(error);
  return new MusterError("PLAYBOOK", 65, `the playbook ${name} failed: ${said}`, { cause: error });
}

function createDuplicateError(resource: string, first: string, second: string): MusterError {
  const where = first === second ? `in ${first}` : `in ${first} and in ${second}`;
  return new MusterError("PLAYBOOK", 65, `the resource "${resource}" is there twice, ${where}`, {
    next: "Give one of them another name.",
  });
}
