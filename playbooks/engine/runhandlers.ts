import { decideHandler } from "./handlerdecision.js";
import { listNotified, type PlaybookPlan } from "./planresources.js";
import { createFailedVerdict, type ObservedVerdict, type Reconciliation, toChangeError } from "./reconcileresource.js";
import type { ChangeContext, Difference, Handler } from "./resource.js";

/**
 * Runs the handlers of a playbook that are due, once each and in their order, when its resources have been through; without means to change the
 * node, says which ones would run. Returns a verdict for each. Rejects with a MusterError only if the node does not answer.
 */
export async function runHandlers(plan: PlaybookPlan, work: Reconciliation): Promise<ObservedVerdict[]> {
  const verdicts: ObservedVerdict[] = [];
  for (const [name, handler] of Object.entries(plan.handlers))
    verdicts.push(await judgeHandler(plan, name, handler, work));
  return verdicts;
}

async function judgeHandler(
  plan: PlaybookPlan,
  name: string,
  handler: Handler,
  { known, marks, context }: Reconciliation,
): Promise<ObservedVerdict> {
  const base = { playbook: plan.name, resource: `handler ${plan.name}: ${name}`, differences: [], notes: [] };
  const notifiers = plan.resources
    .filter((resource) => listNotified(resource).includes(name))
    .map(({ name: resource, change }) => ({
      resource,
      state: known.get(resource)?.state ?? "ok",
      canChange: change !== undefined,
    }));
  const decision = decideHandler(marks.list(plan.name, name), notifiers);
  switch (decision.do) {
    case "nothing":
      return { ...base, state: "ok" };
    case "wait":
      return { ...base, state: "blocked", reason: `${decision.until} has changed, but is not in sync` };
    case "run": {
      const { due, coming } = decision;
      const differences = [
        ...due.map((resource) => describe(resource, "changed, and it has not run since")),
        ...coming.map((resource) => describe(resource, "about to change")),
      ];
      if (context === undefined || due.length === 0) return { ...base, state: "drift", differences };
      const clear = () => marks.clear(context, plan.name, name, due);
      return { ...(await perform(base, handler, clear, context)), differences };
    }
    default:
      return decision satisfies never;
  }
}

function describe(resource: string, have: string): Difference {
  return { what: resource, have, want: "run the handler after it" };
}

async function perform(
  base: Omit<ObservedVerdict, "state">,
  handler: Handler,
  clear: () => Promise<void>,
  context: ChangeContext,
): Promise<ObservedVerdict> {
  try {
    await handler(context);
    await clear();
    return { ...base, state: "changed" };
  } catch (error) {
    const failed = createFailedVerdict(base.playbook, base.resource, toChangeError(base.playbook, error));
    return { ...failed, next: failed.next ?? "Correct that; the next provision runs the handler again." };
  }
}
