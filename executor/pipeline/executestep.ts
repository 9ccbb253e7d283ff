import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { matchesAnyPattern } from "../../fleet/selectnodes.js";
import type { Job } from "../job/job.js";
import { loadForRun } from "../run/record/ownresults.js";
import { ratesFilePath } from "../run/record/ratesfile.js";
import type { RunSummary } from "../run/record/runsummary.js";
import { runJob } from "../run/run.js";
import { FailureGroups } from "../schedule/halting/failuregroups.js";
import { runCommand } from "./commandstep.js";
import { feedQueue } from "./feedqueue.js";
import { locateInputs } from "./locateinputs.js";
import type { JobAction, PipelineStep, StepAction } from "./pipeline.js";
import type { PipelineContext, PipelineObserver, PlaybookRunner, StepOutcome } from "./stepcontext.js";
import { fingerprintCommand, fingerprintJob, StepFingerprint } from "./stepfingerprint.js";
import { loadStepJob } from "./stepjob.js";

/** The number of nodes that a reason lists. */
const MAX_NAMED_NODES = 5;

/** A step that is ready to be executed: its inputs are in their final place. */
export type PreparedStep = { fingerprint: StepFingerprint | undefined; execute(): Promise<StepOutcome> };

/** Loads what a step runs and computes its fingerprint. Rejects with a MusterError where the step cannot be executed. */
export async function prepareStep(
  context: PipelineContext,
  step: PipelineStep,
  playbooks: PlaybookRunner,
  observer: PipelineObserver,
): Promise<PreparedStep> {
  const { action } = step;
  switch (action.kind) {
    case "job":
      return prepareJob(context, step, action, playbooks, observer);
    case "command": {
      const fingerprint = step.when === "changed" ? await fingerprintCommand(context, step, action) : undefined;
      return { fingerprint, execute: () => executeCommand(context, step, action) };
    }
    case "provision":
    case "verify": {
      const { kind, nodes: patterns } = action;
      const nodes =
        patterns === undefined ? context.nodes : context.nodes.filter((node) => matchesAnyPattern(node, patterns));
      return { fingerprint: undefined, execute: () => playbooks.run(kind, action.playbooks, nodes, step.name) };
    }
    default:
      return action satisfies never;
  }
}

async function prepareJob(
  context: PipelineContext,
  step: PipelineStep,
  action: JobAction,
  playbooks: PlaybookRunner,
  observer: PipelineObserver,
): Promise<PreparedStep> {
  const folder = join(context.path, step.name);
  const job = await loadForRun(
    (ownResults) => loadStepJob(context, step, action, ownResults),
    () => folder,
  );
  if (job === undefined)
    return { fingerprint: new StepFingerprint({ jobs: [] }), execute: async () => completeWithoutJobs(folder) };
  // All others have been checked before the pipeline began.
  if (action.source.kind === "output" || step.name.includes("/")) playbooks.checkJob(job, step.name);
  const fingerprint = await fingerprintJob(job, folder);
  return { fingerprint, execute: () => executeJob(context, job, step, action, playbooks, observer) };
}

/** Writes the results of a job without chunks: none. */
function completeWithoutJobs(folder: string): StepOutcome {
  mkdirSync(join(folder, "results"), { recursive: true });
  writeFileSync(join(folder, "results.ndjson"), "");
  return { state: "complete", run: { chunks: { done: 0, failed: 0 }, nodes: [], leftovers: [] } };
}

async function executeJob(
  context: PipelineContext,
  job: Job,
  step: PipelineStep,
  action: JobAction,
  playbooks: PlaybookRunner,
  pipelineObserver: PipelineObserver,
): Promise<StepOutcome> {
  const { path, inventory, nodes, clusters, adopt, stop } = context;
  const folder = join(path, step.name);
  // A folder without a journal is left from a coordinator that was killed while it reused earlier results.
  if (!existsSync(join(folder, "journal.ndjson"))) rmSync(folder, { recursive: true, force: true });
  if (action.tasks !== undefined) await feedQueue(context, { path: folder, job }, action.tasks);
  const observer = pipelineObserver.job(step.name);
  try {
    const { summary } = await runJob(job, nodes, {
      out: folder,
      fresh: false,
      adopt,
      clusters,
      inventory: inventory.file ?? "local",
      stopSignal: stop,
      isSelected: matchesAnyPattern,
      observer,
      ratesFile: ratesFilePath(inventory.file),
      verifyNode: await playbooks.createInspection(job),
      healing: playbooks.createHealing(),
    });
    return toStepOutcome(summary);
  } finally {
    observer.end();
  }
}

/** Returns how many chunks failed, and why: the cause, if there is only one, or else the first failure. */
function describeFailures({ chunks, failures, failureGroups }: RunSummary): string {
  const [first] = failures;
  const groups = failureGroups ?? new FailureGroups(failures).all;
  const all = chunks.done === 0 && chunks.failed > 1 ? "all " : "";
  const head = `${all}${chunks.failed} ${chunks.failed === 1 ? "chunk" : "chunks"} failed`;
  if (first === undefined) return head;
  return groups.length === 1 && chunks.failed > 1
    ? `${head}: ${groups[0]!.cause}`
    : `${head}; first ${first.chunk}: ${first.reason}`;
}

function toStepOutcome(summary: RunSummary): StepOutcome {
  const { chunks, nodes, leftovers, usage, state, enough, units } = summary;
  const run = { chunks, nodes, leftovers, ...(usage === undefined ? {} : { usage }) };
  switch (state) {
    case "complete":
      return { state, run };
    case "interrupted":
      return { state, run, exit: 130 };
    case "partial": {
      const share = `${units.done} of ${units.total} units are done, ${enough?.required} are required`;
      const reason = describeFailures(summary);
      if (enough?.reached) return { state: "enough", run, exit: 3, reason: `${share}; ${reason}` };
      return { state, run, exit: 3, reason: enough === undefined ? reason : `not enough: ${share}; ${reason}` };
    }
    case "cancelled":
      return { state: "failed", run, exit: 3, reason: "the job was cancelled" };
    case "stranded":
      return { state: "failed", run, exit: chunks.done > 0 ? 3 : 69, reason: explainStranded(nodes) };
    case "superseded":
      return { state: "failed", run, exit: 75, reason: [summary.error, summary.next].join("\n") };
    case "halted":
      return { state: "failed", run, exit: 3, reason: explainHalt(summary) };
    case "broken":
      return { state: "failed", run, exit: 3, reason: summary.error ?? state };
    default:
      return state satisfies never;
  }
}

/** Explains why a run was halted, with the first failure. */
function explainHalt({ halt, next }: RunSummary): string {
  const [first] = halt?.failures ?? [];
  const lastLine = first?.stderr.trimEnd().split("\n").at(-1) ?? "";
  const detail =
    first === undefined ? [] : [`first ${first.chunk}: ${first.reason}${lastLine === "" ? "" : `: ${lastLine}`}`];
  return [halt?.reason, ...detail, next].join("\n");
}

/** Explains why no usable node is left, with the state of each node or of the first of many. */
function explainStranded(nodes: RunSummary["nodes"]): string {
  const lines = nodes.map(({ node, state, reason }) => `${node}: ${state}${reason === undefined ? "" : `: ${reason}`}`);
  const more = lines.length > MAX_NAMED_NODES ? [`and ${lines.length - MAX_NAMED_NODES} more`] : [];
  return ["no usable node is left", ...lines.slice(0, MAX_NAMED_NODES), ...more].join("\n");
}

async function executeCommand(
  context: PipelineContext,
  step: PipelineStep,
  action: Extract<StepAction, { kind: "command" }>,
): Promise<StepOutcome> {
  const { pipeline, path, stop } = context;
  const folder = join(path, step.name);
  mkdirSync(folder, { recursive: true });
  const inputs = locateInputs(context, step);
  const result = await runCommand(action, { cwd: pipeline.folder, folder, inputs, stop });
  switch (result.state) {
    case "complete":
      return { state: "complete" };
    case "interrupted":
      return { state: "interrupted", exit: 130 };
    case "failed":
      return { state: "failed", reason: result.reason, exit: 3 };
    default:
      return result satisfies never;
  }
}
