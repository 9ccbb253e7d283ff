import { MusterError } from "../../schemas/errors.js";
import { suggest } from "../../schemas/suggest.js";
import type { Handlers, Playbook, PlaybookContext, Resource } from "./resource.js";

/** A playbook and its name on the command line and in the inventory. */
export interface NamedPlaybook {
  name: string;
  playbook: Playbook;
  /** Names of the playbooks that run before it. */
  needs: readonly string[];
  handlers: Handlers;
  /** The playbook for which it is included; absent where it was named itself. */
  neededBy?: string | undefined;
}

/** What a playbook wants of one node. `error`: why it has failed to list its resources; then those before the failure are there. */
export interface PlaybookPlan {
  name: string;
  needs: readonly string[];
  handlers: Handlers;
  resources: readonly Resource[];
  error?: MusterError;
}

/** Lists what all playbooks want of a node, in their order. */
export async function planResources(context: PlaybookContext, playbooks: NamedPlaybook[]): Promise<PlaybookPlan[]> {
  const plans: PlaybookPlan[] = [];
  const owners = new Map<string, string>();
  for (const { name, playbook, needs, handlers } of playbooks) {
    const resources: Resource[] = [];
    const plan = { name, needs, handlers, resources };
    try {
      for await (const resource of playbook(context)) {
        const owner = owners.get(resource.name);
        if (owner !== undefined) throw createDuplicateError(resource.name, owner, name);
        rejectUnknownHandlers(resource, handlers);
        const early = resources.find(({ after }) => after?.includes(resource.name));
        if (early !== undefined) throw createOrderError(early.name, resource.name);
        owners.set(resource.name, name);
        resources.push(resource);
      }
      plans.push(plan);
    } catch (error) {
      plans.push({ ...plan, error: toPlaybookError(name, error) });
    }
  }
  return plans;
}

/** Returns the handlers that a resource notifies. */
export function listNotified({ notify = [] }: Pick<Resource, "notify">): readonly string[] {
  return typeof notify === "string" ? [notify] : notify;
}

/** Converts what a playbook has thrown to a MusterError (PLAYBOOK, exit 65), unless it is one. */
export function toPlaybookError(name: string, error: unknown): MusterError {
  if (error instanceof MusterError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new MusterError("PLAYBOOK", `the playbook ${name} failed: ${message}`, { cause: error });
}

function rejectUnknownHandlers(resource: Resource, handlers: Handlers): void {
  const unknown = listNotified(resource).find((name) => !Object.hasOwn(handlers, name));
  if (unknown === undefined) return;
  throw new MusterError("PLAYBOOK", `the resource "${resource.name}" notifies "${unknown}", which is no handler`, {
    next: suggest(unknown, Object.keys(handlers)) ?? "Export it from the playbook: `export const handlers = {...}`.",
  });
}

function createDuplicateError(resource: string, first: string, second: string): MusterError {
  const where = first === second ? `in ${first}` : `in ${first} and in ${second}`;
  return new MusterError("PLAYBOOK", `the resource "${resource}" is there twice, ${where}`, {
    next: "Give one of them another name.",
  });
}

function createOrderError(early: string, late: string): MusterError {
  return new MusterError("PLAYBOOK", `the resource "${early}" is to be after "${late}", which is yielded later`, {
    next: "Resources are brought into state in the order in which they are yielded: yield that one first.",
  });
}
