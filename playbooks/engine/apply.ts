import type { Connection } from "../../fleet/connection.js";
import { MusterError } from "../../schemas/errors.js";
import { compare, type Finding } from "./compare.js";
import { type Planned, playbookError } from "./plan.js";
import { type Answer, ask } from "./probe.js";
import type { Hands, Resource, Verdict } from "./resource.js";
import { commandFailure } from "./shell.js";

/** A verdict with what the node answered last, for its fingerprint. */
export type Judged = Verdict & { have?: unknown };

type Known = Map<string, Verdict>;

/**
 * Judges every resource of a plan, in its order; with `hands` it also mends what differs. Looking and mending are this one path:
 * without hands each step ends before the change. What fails is told in its own verdict and never hides the others; it rejects
 * only where the node does not answer at all.
 */
export async function settle(connection: Connection, plan: Planned[], hands: Hands | undefined): Promise<Judged[]> {
  const probes = plan.flatMap((one) => ("resource" in one ? [one.resource.probe] : []));
  const answers = await ask(connection, probes);
  const known: Known = new Map();
  const judged: Judged[] = [];
  for (const one of plan) {
    const verdict =
      "error" in one
        ? failed(one.playbook, "(the playbook itself)", one.error)
        : await settleOne(connection, one, answers.shift()!, known, hands);
    known.set(verdict.resource, verdict);
    judged.push(verdict);
  }
  return judged;
}

type One = Extract<Planned, { resource: Resource }>;

async function settleOne(
  connection: Connection,
  one: One,
  answer: Answer,
  known: Known,
  hands: Hands | undefined,
): Promise<Judged> {
  const { playbook, resource } = one;
  const base = { playbook, resource: resource.name };
  const stopper = blocker(resource, known);
  if (stopper !== undefined)
    return { ...base, state: "blocked", differences: [], notes: [], reason: `${stopper} is not right` };
  const first = compare(playbook, resource, answer);
  if ("error" in first) return failed(playbook, resource.name, first.error);
  if (first.differences.length === 0)
    return { ...base, state: "ok", differences: [], notes: first.notes, have: first.have };
  if (hands === undefined || resource.change === undefined) return unmended(one, first, known);
  try {
    return await mend(connection, one, hands);
  } catch (error) {
    return { ...failed(playbook, resource.name, changeError(playbook, error)), differences: first.differences };
  }
}

/** Probes again right before the change, and after it, to prove it. */
async function mend(connection: Connection, { playbook, resource }: One, hands: Hands): Promise<Judged> {
  const base = { playbook, resource: resource.name };
  const look = async (): Promise<Exclude<Finding, { error: MusterError }>> => {
    const [answer] = await ask(connection, [resource.probe]);
    const finding = compare(playbook, resource, answer!);
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
  await followUp(playbook, resource, hands);
  const state = after.differences.length > 0 ? "needs reboot" : "changed";
  return { ...base, state, differences, notes: after.notes, have: after.have };
}

/** It runs only after a change, so one that failed is not tried again by itself. */
async function followUp(playbook: string, resource: Resource, hands: Hands): Promise<void> {
  try {
    await resource.followUp?.(hands);
  } catch (error) {
    const { message } = changeError(playbook, error);
    throw new MusterError("FOLLOW_UP", 69, `it was changed, but what has to follow failed: ${message}`, {
      next: "Do that by hand there: the next provision finds nothing to change, and so does not do it again.",
    });
  }
}

/** What differs and stays so: a reboot alone mends it where everything that it depends on is right. */
function unmended(
  { playbook, resource }: One,
  finding: Exclude<Finding, { error: MusterError }>,
  known: Known,
): Judged {
  const { differences, notes, have } = finding;
  const staged = (resource.after ?? []).every((name) => ["ok", "changed"].includes(known.get(name)?.state ?? "ok"));
  const state = resource.reboot && staged ? "needs reboot" : "drift";
  return { playbook, resource: resource.name, state, differences, notes, have };
}

/** The name of the first resource that must be right before this one and is not. */
function blocker(resource: Resource, known: Known): string | undefined {
  return (resource.after ?? []).find((name) => ["failed", "blocked"].includes(known.get(name)?.state ?? "ok"));
}

function failed(playbook: string, resource: string, { message, next }: MusterError): Judged {
  return { playbook, resource, state: "failed", differences: [], notes: [], reason: message, next };
}

function changeError(playbook: string, error: unknown): MusterError {
  const said = commandFailure(error);
  return said === undefined ? playbookError(playbook, error) : new MusterError("COMMAND", 69, said);
}
