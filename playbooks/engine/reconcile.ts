import type { Connection } from "../../fleet/connection.js";
import { MusterError } from "../../schemas/errors.js";
import { type Comparison, compareResource } from "./compareresource.js";
import { type PlanEntry, toPlaybookError } from "./planresources.js";
import { formatCommandFailure } from "./remoteshell.js";
import type { ChangeContext, Resource, Verdict } from "./resource.js";
import { type ProbeResult, runProbes } from "./runprobes.js";

/** A verdict with what the node answered last, for its fingerprint. */
export type ObservedVerdict = Verdict & { have?: unknown };

type VerdictsByName = Map<string, Verdict>;

/**
 * Judges every resource of a plan, in its order; with `hands` it also mends what differs. Looking and mending are this one path:
 * without hands each step ends before the change. What fails is told in its own verdict and never hides the others; it rejects
 * only where the node does not answer at all.
 */
export async function reconcile(
  connection: Connection,
  plan: PlanEntry[],
  hands: ChangeContext | undefined,
): Promise<ObservedVerdict[]> {
  const probes = plan.flatMap((one) => ("resource" in one ? [one.resource.probe] : []));
  const answers = await runProbes(connection, probes);
  const known: VerdictsByName = new Map();
  const judged: ObservedVerdict[] = [];
  for (const one of plan) {
    const verdict =
      "error" in one
        ? createFailedVerdict(one.playbook, "(the playbook itself)", one.error)
        : await reconcileResource(connection, one, answers.shift()!, known, hands);
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
  hands: ChangeContext | undefined,
): Promise<ObservedVerdict> {
  const { playbook, resource } = one;
  const base = { playbook, resource: resource.name };
  const stopper = findBlocker(resource, known);
  if (stopper !== undefined)
    return { ...base, state: "blocked", differences: [], notes: [], reason: `${stopper} is not right` };
  const first = compareResource(playbook, resource, answer);
  if ("error" in first) return createFailedVerdict(playbook, resource.name, first.error);
  if (first.differences.length === 0)
    return { ...base, state: "ok", differences: [], notes: first.notes, have: first.have };
  if (hands === undefined || resource.change === undefined) return createDriftVerdict(one, first, known);
  try {
    return await applyChange(connection, one, hands);
  } catch (error) {
    return {
      ...createFailedVerdict(playbook, resource.name, toChangeError(playbook, error)),
      differences: first.differences,
    };
  }
}

/** Probes again right before the change, and after it, to prove it. */
async function applyChange(
  connection: Connection,
  { playbook, resource }: PlannedResource,
  hands: ChangeContext,
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
  await resource.change!(before.have, hands);
  const after = await look();
  const { differences } = before;
  if (after.differences.length > 0 && !resource.reboot) {
    const still = after.differences.map(({ what, have }) => `${what}: ${have}`).join("; ");
    throw new MusterError("UNPROVEN", 69, `it was changed and still differs: ${still}`);
  }
  await runFollowUp(playbook, resource, hands);
  const state = after.differences.length > 0 ? "needs reboot" : "changed";
  return { ...base, state, differences, notes: after.notes, have: after.have };
}

/** It runs only after a change, so one that failed is not tried again by itself. */
async function runFollowUp(playbook: string, resource: Resource, hands: ChangeContext): Promise<void> {
  try {
    await resource.followUp?.(hands);
  } catch (error) {
    const { message } = toChangeError(playbook, error);
    throw new MusterError("FOLLOW_UP", 69, `it was changed, but what has to follow failed: ${message}`, {
      next: "Do that by hand there: the next provision finds nothing to change, and so does not do it again.",
    });
  }
}

/** What differs and stays so: a reboot alone mends it where everything that it depends on is right. */
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

/** The name of the first resource that must be right before this one and is not. */
function findBlocker(resource: Resource, known: VerdictsByName): string | undefined {
  return (resource.after ?? []).find((name) => ["failed", "blocked"].includes(known.get(name)?.state ?? "ok"));
}

function createFailedVerdict(playbook: string, resource: string, { message, next }: MusterError): ObservedVerdict {
  return { playbook, resource, state: "failed", differences: [], notes: [], reason: message, next };
}

function toChangeError(playbook: string, error: unknown): MusterError {
  const said = formatCommandFailure(error);
  return said === undefined ? toPlaybookError(playbook, error) : new MusterError("COMMAND", 69, said);
}
