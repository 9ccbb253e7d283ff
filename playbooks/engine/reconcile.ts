import type { Connection } from "../../fleet/connection.js";
import { findComputations } from "../../fleet/healing/bystanders.js";
import { findPlaybookBlocker, type RebootRule } from "./blockplaybook.js";
import { HandlerMarks, handlerMarksProbe } from "./handlermarks.js";
import type { PlaybookPlan } from "./planresources.js";
import {
  type AwaitIdle,
  createFailedVerdict,
  type ObservedVerdict,
  type Reconciliation,
  reconcileResource,
} from "./reconcileresource.js";
import type { ChangeContext, Probe, Resource } from "./resource.js";
import { runHandlers } from "./runhandlers.js";
import { type ProbeResult, runProbes } from "./runprobes.js";

type Answers = ReadonlyMap<Resource, ProbeResult>;

/**
 * Reconciles the playbooks of a node in order: probes every resource, compares it and, if `context` is given, changes it; at the end of a playbook,
 * runs its handlers that are due. Without `context` (verify) the same path ends before the change. The failure of a resource is its verdict, and
 * stops only what depends on it. `awaitIdle`: by default, one look. Rejects with a MusterError only if the node does not answer.
 */
export async function reconcile(
  connection: Connection,
  plans: readonly PlaybookPlan[],
  context: ChangeContext | undefined,
  rule: RebootRule = "continue",
  awaitIdle: AwaitIdle = () => findComputations(connection),
): Promise<ObservedVerdict[]> {
  const resources = plans.flatMap((plan) => plan.resources);
  const hasHandlers = plans.some(({ handlers }) => Object.keys(handlers).length > 0);
  const { workdir } = connection.node;
  const probes: Probe[] = [
    ...resources.map(({ probe }) => probe),
    ...(hasHandlers ? [handlerMarksProbe(workdir)] : []),
  ];
  const results = await runProbes(connection, probes);
  const answers = new Map(resources.map((resource, index) => [resource, results[index]!]));
  const marked = hasHandlers ? results.at(-1)! : undefined;
  const marks = new HandlerMarks(workdir, marked !== undefined && "have" in marked ? marked.have : undefined);
  const work: Reconciliation = { connection, context, marks, awaitIdle, isAbandoned: false, known: new Map() };
  const verdicts = new Map<PlaybookPlan, ObservedVerdict[]>();
  for (const plan of plans) {
    const soFar = [...verdicts.values()].flat();
    verdicts.set(plan, await reconcilePlaybook(plan, answers, soFar, rule, work));
  }
  const judged = [...verdicts.values()].flat();
  if (context === undefined || !judged.some(({ state }) => state === "changed")) return judged;
  return lookAgain(plans, verdicts, work);
}

/** `soFar`: the verdicts of the playbooks before it. */
async function reconcilePlaybook(
  plan: PlaybookPlan,
  answers: Answers,
  soFar: readonly ObservedVerdict[],
  rule: RebootRule,
  work: Reconciliation,
): Promise<ObservedVerdict[]> {
  const blocked = findPlaybookBlocker(plan, soFar, rule);
  if (blocked !== undefined) {
    const block = (resource: string): ObservedVerdict => ({
      playbook: plan.name,
      resource,
      state: "blocked",
      differences: [],
      notes: [],
      reason: blocked,
    });
    for (const { name } of plan.resources) work.known.set(name, block(name));
    return [block(`playbook ${plan.name}`)];
  }
  const isStale = soFar.some(({ playbook, state }) => plan.needs.includes(playbook) && state === "changed");
  const current = isStale ? await probe(plan.resources, work) : answers;
  const verdicts: ObservedVerdict[] = [];
  for (const resource of plan.resources) {
    const verdict = await reconcileResource(plan.name, resource, current.get(resource)!, work);
    work.known.set(verdict.resource, verdict);
    verdicts.push(verdict);
  }
  if (plan.error !== undefined) verdicts.push(createFailedVerdict(plan.name, `playbook ${plan.name}`, plan.error));
  return [...verdicts, ...(await runHandlers(plan, work))];
}

/**
 * Probes once more what was in sync before anything had changed: a package may have started a unit, a file may be newer than the unit that
 * reads it. What differs now is reconciled again, with its handlers. Returns all verdicts.
 */
async function lookAgain(
  plans: readonly PlaybookPlan[],
  before: ReadonlyMap<PlaybookPlan, ObservedVerdict[]>,
  work: Reconciliation,
): Promise<ObservedVerdict[]> {
  const wasFine = ({ name }: Resource) => work.known.get(name)?.state === "ok";
  const answers = await probe(
    plans.flatMap(({ resources }) => resources.filter(wasFine)),
    work,
  );
  const verdicts: ObservedVerdict[] = [];
  for (const plan of plans) {
    const later = new Map<string, ObservedVerdict>();
    for (const resource of plan.resources) {
      const answer = answers.get(resource);
      if (answer === undefined) continue;
      const verdict = await reconcileResource(plan.name, resource, answer, work);
      work.known.set(verdict.resource, verdict);
      later.set(verdict.resource, verdict);
    }
    const hasChanged = [...later.values()].some(({ state }) => state === "changed");
    for (const verdict of hasChanged ? await runHandlers(plan, work) : [])
      if (verdict.state !== "ok") later.set(verdict.resource, verdict);
    verdicts.push(...before.get(plan)!.map((verdict) => later.get(verdict.resource) ?? verdict));
  }
  return verdicts;
}

async function probe(resources: readonly Resource[], { connection }: Reconciliation): Promise<Answers> {
  const results = await runProbes(
    connection,
    resources.map((resource) => resource.probe),
  );
  return new Map(resources.map((resource, index) => [resource, results[index]!]));
}
