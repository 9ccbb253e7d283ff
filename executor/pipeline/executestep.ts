import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import type { Node } from "../../fleet/node.js";
import { InputOverrides } from "../job/inputoverrides.js";
import type { Job } from "../job/job.js";
import { loadJob } from "../job/loadjob.js";
import { ratesFilePath } from "../run/record/ratesfile.js";
import type { RunSummary } from "../run/record/runsummary.js";
import { runJob } from "../run/run.js";
import type { RunObserver } from "../run/runobserver.js";
import type { VerifyNode } from "../run/verifynode.js";
import { locateInputs, runCommand } from "./commandstep.js";
import { nameStepJob, type Pipeline, type PipelineStep, type StepAction } from "./pipeline.js";
import { fingerprintCommand, fingerprintJob, type StepFingerprint } from "./stepfingerprint.js";
import type { StepState } from "./stepstate.js";

/** Nodes that a reason names. */
const MAX_NAMED_NODES = 5;

/** What came of a step. `exit`: what the same would have ended with by itself. */
export interface StepOutcome {
  state: StepState;
  reason?: string;
  exit?: number;
  run?: Pick<RunSummary, "chunks" | "nodes" | "leftovers">;
  /** Of a verify or provision: every node and resource. */
  drift?: unknown;
}

/** What a step is performed with. The playbooks stand above the executor, so what they do is handed in. */
export interface PipelineContext {
  inventory: Inventory;
  nodes: Node[];
  isSelected: (node: Node, patterns: readonly string[]) => boolean;
  stop: AbortSignal;
  /** As in RunOptions. */
  adopt: boolean;
  createObserver: (step: string) => RunObserver & { end(): void };
  createInspection: (job: Job) => Promise<VerifyNode | undefined>;
  runPlaybooks: (kind: "provision" | "verify", names: string[], nodes: Node[], step: string) => Promise<StepOutcome>;
}

/** A step that is about to be performed: its inputs lie where they will stay. */
export type PreparedStep = { fingerprint: StepFingerprint | undefined; execute(): Promise<StepOutcome> };

/** Looks at what a step would do now, in the run directory `path`. Rejects with a MusterError where it cannot be done. */
export async function prepareStep(
  pipeline: Pipeline,
  step: PipelineStep,
  path: string,
  means: PipelineContext,
): Promise<PreparedStep> {
  const { action: work } = step;
  switch (work.kind) {
    case "job": {
      const job = loadJobWithInputs(pipeline, step, work, path, means.inventory);
      const fingerprint = await fingerprintJob(job);
      return { fingerprint, execute: () => executeJob(job, join(path, step.name), step.name, means) };
    }
    case "command": {
      const fingerprint = step.when === "changed" ? await fingerprintCommand(pipeline, step, work, path) : undefined;
      return { fingerprint, execute: () => executeCommand(pipeline, step, work, path, means.stop) };
    }
    default: {
      const { kind, playbooks, nodes } = work;
      const meant = nodes === undefined ? means.nodes : means.nodes.filter((node) => means.isSelected(node, nodes));
      return { fingerprint: undefined, execute: () => means.runPlaybooks(kind, playbooks, meant, step.name) };
    }
  }
}

function loadJobWithInputs(
  pipeline: Pipeline,
  step: PipelineStep,
  work: Extract<StepAction, { kind: "job" }>,
  path: string,
  inventory: Inventory,
): Job {
  const feeds = new InputOverrides(new Map(locateInputs(step.inputs, path).map((input) => [input.path, input.source])));
  const { file, set, range } = work;
  return loadJob(file, { set, range, inputOverrides: feeds, inventory, name: nameStepJob(pipeline.name, step.name) });
}

async function executeJob(job: Job, folder: string, step: string, means: PipelineContext): Promise<StepOutcome> {
  // Without a journal it is what a session that was killed had begun to take over.
  if (!existsSync(join(folder, "journal.ndjson"))) rmSync(folder, { recursive: true, force: true });
  const observer = means.createObserver(step);
  try {
    const { summary } = await runJob(job, means.nodes, {
      out: folder,
      fresh: false,
      adopt: means.adopt,
      inventory: means.inventory.file ?? "local",
      stopSignal: means.stop,
      isSelected: means.isSelected,
      observer,
      ratesFile: ratesFilePath(means.inventory.file),
      verifyNode: await means.createInspection(job),
    });
    return toStepOutcome(summary);
  } finally {
    observer.end();
  }
}

function toStepOutcome(summary: RunSummary): StepOutcome {
  const { chunks, nodes, leftovers, state, failures } = summary;
  const run = { chunks, nodes, leftovers };
  switch (state) {
    case "complete":
      return { state, run };
    case "interrupted":
      return { state, run, exit: 130 };
    case "partial": {
      const [first] = failures;
      const why = first === undefined ? "" : `; first ${first.chunk}: ${first.reason}`;
      return { state, run, exit: 3, reason: `${chunks.failed} of its chunks failed${why}` };
    }
    case "cancelled":
      return { state: "failed", run, exit: 3, reason: "it was cancelled" };
    case "stranded":
      return { state: "failed", run, exit: chunks.done > 0 ? 3 : 69, reason: explainStranded(nodes) };
    case "superseded":
      return { state: "failed", run, exit: 75, reason: [summary.error, summary.next].join("\n") };
    case "broken":
      return { state: "failed", run, exit: 3, reason: summary.error ?? state };
  }
}

/** Why there is no node left: of each, or of the first of many. */
function explainStranded(nodes: RunSummary["nodes"]): string {
  const lines = nodes.map(({ node, state, reason }) => `${node}: ${state}${reason === undefined ? "" : `: ${reason}`}`);
  const more = lines.length > MAX_NAMED_NODES ? [`and ${lines.length - MAX_NAMED_NODES} more`] : [];
  return ["no usable node is left", ...lines.slice(0, MAX_NAMED_NODES), ...more].join("\n");
}

async function executeCommand(
  pipeline: Pipeline,
  step: PipelineStep,
  work: Extract<StepAction, { kind: "command" }>,
  path: string,
  stop: AbortSignal,
): Promise<StepOutcome> {
  const folder = join(path, step.name);
  mkdirSync(folder, { recursive: true });
  const fault = await runCommand(work, { cwd: pipeline.folder, folder, inputs: locateInputs(step.inputs, path), stop });
  if (fault === undefined) return { state: "complete" };
  return fault.kind === "interrupted"
    ? { state: "interrupted", exit: 130 }
    : { state: "failed", reason: fault.reason, exit: 3 };
}
