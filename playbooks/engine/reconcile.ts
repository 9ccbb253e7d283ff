import type { Connection } from "../../fleet/connection.js";
import { MusterError } from "../../schemas/errors.js";
import { type Comparison, compareResource } from "./compareresource.js";
import { type PlanEntry, toPlaybookError } from "./planresources.js";
import { formatCommandFailure } from "./remoteshell.js";
import type { ChangeContext, Resource, Verdict } from "./resource.js";
import { type ProbeResult, runProbes } from "./runprobes.js";

/** A verdict, and the last answer of the node, for the fingerprint. */
export type ObservedVerdict = Verdict & { have?: unknown };

type VerdictsByName = Map<string, Verdict>;

/**
 * Reconciles every resource of a plan in order: probes it, compares it and, if `context` is given, changes it. Without `context` (verify)
 * the same path ends before the change. The failure of a resource is its verdict and does not stop the others. Rejects with a MusterError
 * only if the node does not answer.
 */
export async function reconcile(
  connection: Connection,
  plan: PlanEntry[],
  context: ChangeContext | undefined,
): Promise<ObservedVerdict[]> {
  const probes = plan.flatMap((one) => ("resource" in one ? [one.resource.probe] : []));
  const answers = await runProbes(connection, probes);
  const known: VerdictsByName = new Map();
  const judged: ObservedVerdict[] = [];
  for (const one of plan) {
    const verdict =
      "error" in one
        ? createFailedVerdict(one.playbook, "(the playbook itself)", one.error)
        : await reconcileResource(connection, one, answers.shift()!, known, context);
    known.set(verdict.resource, verdict);
    judged.push(verdict);
  }
  return judged;
}

type PlannedResource = Extract<PlanEntry, { resource: Resource }>;

async function reconcileResource(
  connection: Connection,
  one: PlannedResource,
  answer: ProbeResult,
  known: VerdictsByName,
  context: ChangeContext | undefined,
): Promise<ObservedVerdict> {
  const { playbook, resource } = one;
  const base = { playbook, resource: resource.name };
  const blocker = findBlocker(resource, known);
  if (blocker !== undefined)
    return { ...base, state: "blocked", differences: [], notes: [], reason: `${blocker} is not in sync` };
  const first = compareResource(playbook, resource, answer);
  if ("error" in first) return createFailedVerdict(playbook, resource.name, first.error);
  if (first.differences.length === 0)
    return { ...base, state: "ok", differences: [], notes: first.notes, have: first.have };
  if (context === undefined || resource.change === undefined) return createDriftVerdict(one, first, known);
  try {
    return await applyChange(connection, one, context);
  } catch (error) {
    return {
      ...createFailedVerdict(playbook, resource.name, toChangeError(playbook, error)),
      differences: first.differences,
    };
  }
}

/** Probes the resource again right before the change, and after it to verify the change. */
async function applyChange(
  connection: Connection,
  { playbook, resource }: PlannedResource,
  context: ChangeContext,
): Promise<ObservedVerdict> {
  const base = { playbook, resource: resource.name };
  const look = async (): Promise<Exclude<Comparison, { error: MusterError }>> => {
    const [answer] = await runProbes(connection, [resource.probe]);
    const finding = compareResource(playbook, resource, answer!);
    if ("error" in finding) throw finding.error;
    return finding;
  };
  const before = await look();
  if (before.differences.length === 0)
    return { ...base, state: "ok", differences: [], notes: before.notes, have: before.have };
  await resource.change!(before.have, context);
  const after = await look();
  const { differences } = before;
  if (after.differences.length > 0 && !resource.reboot) {
    const still = after.differences.map(({ what, have }) => `${what}: ${have}`).join("; ");
    throw new MusterError("UNPROVEN", `it was changed but still differs: ${still}`);
  }
  await runFollowUp(playbook, resource, context);
  const state = after.differences.length > 0 ? "needs reboot" : "changed";
  return { ...base, state, differences, notes: after.notes, have: after.have };
}

/** A follow-up runs only after a change, so a failed one is not retried by the next provision. */
async function runFollowUp(playbook: string, resource: Resource, context: ChangeContext): Promise<void> {
  try {
    await resource.followUp?.(context);
  } catch (error) {
    const { message } = toChangeError(playbook, error);
    throw new MusterError("FOLLOW_UP", `it was changed, but its follow-up failed: ${message}`, {
      next: "Do the follow-up by hand there: the next provision finds nothing to change, so it does not repeat it.",
    });
  }
}

/** The verdict for a difference that is not changed: "needs reboot" if only that is missing, else "drift". */
function createDriftVerdict(
  { playbook, resource }: PlannedResource,
  finding: Exclude<Comparison, { error: MusterError }>,
  known: VerdictsByName,
): ObservedVerdict {
  const { differences, notes, have } = finding;
  const staged = (resource.after ?? []).every((name) => ["ok", "changed"].includes(known.get(name)?.state ?? "ok"));
  const state = resource.reboot && staged ? "needs reboot" : "drift";
  return { playbook, resource: resource.name, state, differences, notes, have };
}

/** Returns the name of the first dependency of a resource that has failed. */
function findBlocker(resource: Resource, known: VerdictsByName): string | undefined {
  return (resource.after ?? []).find((name) => ["failed", "blocked"].includes(known.get(name)?.state ?? "ok"));
}

function createFailedVerdict(playbook: string, resource: string, { message, next }: MusterError): ObservedVerdict {
  return { playbook, resource, state: "failed", differences: [], notes: [], reason: message, next };
}

function toChangeError(playbook: string, error: unknown): MusterError {
  const message = formatCommandFailure(error);
  return message === undefined ? toPlaybookError(playbook, error) : new MusterError("COMMAND", message);
}
