import type { Connection } from "../../fleet/connection.js";
import { MusterError } from "../../schemas/errors.js";
import { type Comparison, compareResource } from "./compareresource.js";
import type { HandlerMarks } from "./handlermarks.js";
import { listNotified, toPlaybookError } from "./planresources.js";
import { formatCommandFailure } from "./remoteshell.js";
import type { ChangeContext, Resource, Verdict } from "./resource.js";
import { type ProbeResult, runProbes } from "./runprobes.js";

/** A verdict, and the last answer of the node, for the fingerprint. */
export type ObservedVerdict = Verdict & { have?: unknown };

/** Waits until nothing computes on a node, so that a resource may change. Resolves with what still does, a sentence each. */
export type AwaitIdle = (resource: string) => Promise<readonly string[]>;

/** What the work on one node has in common. */
export interface Reconciliation {
  connection: Connection;
  /** The means of changes; undefined: nothing is changed (verify). */
  context: ChangeContext | undefined;
  marks: HandlerMarks;
  awaitIdle: AwaitIdle;
  /** Whether a wait was given up because muster was interrupted: nothing else is changed then. */
  isAbandoned: boolean;
  /** The verdicts so far, by resource. */
  known: Map<string, ObservedVerdict>;
}

/**
 * Compares a resource with `answer`, the result of its probe, and changes it where that is wanted. Its failure is its verdict. Rejects with a
 * MusterError only if the node does not answer.
 */
export async function reconcileResource(
  playbook: string,
  resource: Resource,
  answer: ProbeResult,
  work: Reconciliation,
): Promise<ObservedVerdict> {
  const base = { playbook, resource: resource.name };
  const blocker = findBlocker(resource, work);
  if (blocker !== undefined)
    return { ...base, state: "blocked", differences: [], notes: [], reason: `${blocker} is not in sync` };
  const first = compareResource(playbook, resource, await refreshAnswer(resource, answer, work));
  if ("error" in first) return createFailedVerdict(playbook, resource.name, first.error);
  if (first.differences.length === 0)
    return { ...base, state: "ok", differences: [], notes: first.notes, have: first.have };
  const context = work.isAbandoned ? undefined : work.context;
  if (context === undefined || resource.change === undefined)
    return createDriftVerdict(playbook, resource, first, work);
  try {
    const users = resource.idle?.(first.have) ? await work.awaitIdle(resource.name) : [];
    if (users.length > 0) return createBusyVerdict(playbook, resource.name, first, users);
    return await applyChange(playbook, resource, context, work);
  } catch (error) {
    work.isAbandoned ||= error instanceof MusterError && error.code === "ABANDONED";
    return {
      ...createFailedVerdict(playbook, resource.name, toChangeError(playbook, error)),
      differences: first.differences,
    };
  }
}

/** Returns the verdict about something that has failed. */
export function createFailedVerdict(
  playbook: string,
  resource: string,
  { message, next }: MusterError,
): ObservedVerdict {
  return { playbook, resource, state: "failed", differences: [], notes: [], reason: message, next };
}

/** Converts what a change has thrown to a MusterError; a failed command says what it printed. */
export function toChangeError(playbook: string, error: unknown): MusterError {
  const message = formatCommandFailure(error);
  return message === undefined ? toPlaybookError(playbook, error) : new MusterError("COMMAND", message);
}

/** Probes a resource again where one that it comes after has changed since. */
async function refreshAnswer(
  resource: Resource,
  answer: ProbeResult,
  { connection, known }: Reconciliation,
): Promise<ProbeResult> {
  if (!(resource.after ?? []).some((name) => known.get(name)?.state === "changed")) return answer;
  const [fresh] = await runProbes(connection, [resource.probe]);
  return fresh!;
}

function createBusyVerdict(
  playbook: string,
  resource: string,
  { differences, notes }: Exclude<Comparison, { error: MusterError }>,
  users: readonly string[],
): ObservedVerdict {
  const reason = `it is only changed while nothing computes on the node: ${users.join("; ")}`;
  const next = "Run this again when that is over: `muster provision` waits for it (--idle-wait).";
  return { playbook, resource, state: "blocked", differences, notes, reason, next };
}

/** Probes the resource again right before the change, and after it to verify the change. */
async function applyChange(
  playbook: string,
  resource: Resource,
  context: ChangeContext,
  { connection, marks }: Reconciliation,
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
  await marks.record(context, playbook, listNotified(resource), resource.name);
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
  playbook: string,
  resource: Resource,
  { differences, notes, have }: Exclude<Comparison, { error: MusterError }>,
  { known }: Reconciliation,
): ObservedVerdict {
  const staged = (resource.after ?? []).every((name) => ["ok", "changed"].includes(known.get(name)?.state ?? "ok"));
  const state = resource.reboot && staged ? "needs reboot" : "drift";
  return { playbook, resource: resource.name, state, differences, notes, have };
}

/** Returns the name of the first dependency of a resource that has failed. */
function findBlocker(resource: Resource, { known }: Reconciliation): string | undefined {
  return (resource.after ?? []).find((name) => ["failed", "blocked"].includes(known.get(name)?.state ?? "ok"));
}
