import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import type { Node } from "../../fleet/node.js";
import { Feeds } from "../job/feeds.js";
import type { Job } from "../job/job.js";
import { loadJob } from "../job/load.js";
import type { Inspection } from "../run/inspection.js";
import type { Observer } from "../run/observer.js";
import { ratesFile } from "../run/record/ratesfile.js";
import type { Summary } from "../run/record/summary.js";
import { runJob } from "../run/run.js";
import { inputsOf, runCommand } from "./command.js";
import { commandFingerprint, type Fingerprint, jobFingerprint } from "./fingerprint.js";
import { jobName, type Pipeline, type Step, type StepWork } from "./pipeline.js";
import type { StepState } from "./states.js";

/** Nodes that a reason names. */
const NAMED = 5;

/** What came of a step. `exit`: what the same would have ended with by itself. */
export interface Outcome {
  state: StepState;
  reason?: string;
  exit?: number;
  run?: Pick<Summary, "chunks" | "nodes" | "leftovers">;
  /** Of a verify or provision: every node and resource. */
  drift?: unknown;
}

/** What a step is performed with. The playbooks stand above the executor, so what they do is handed in. */
export interface Means {
  inventory: Inventory;
  nodes: Node[];
  selected: (node: Node, patterns: string[]) => boolean;
  stop: AbortSignal;
  /** As in RunOptions. */
  adopt: boolean;
  observer: (step: string) => Observer & { end(): void };
  inspection: (job: Job) => Promise<Inspection | undefined>;
  playbooks: (kind: "provision" | "verify", names: string[], nodes: Node[], step: string) => Promise<Outcome>;
}

/** A step that is about to be performed: its inputs lie where they will stay. */
export type Prepared = { fingerprint: Fingerprint | undefined; perform(): Promise<Outcome> };

/** Looks at what a step would do now, in the run directory `path`. Rejects with a MusterError where it cannot be done. */
export async function prepare(pipeline: Pipeline, step: Step, path: string, means: Means): Promise<Prepared> {
  const { work } = step;
  switch (work.kind) {
    case "job": {
      const job = loadFed(pipeline, step, work, path, means.inventory);
      const fingerprint = await jobFingerprint(job);
      return { fingerprint, perform: () => performJob(job, join(path, step.name), step.name, means) };
    }
    case "command": {
      const fingerprint = step.when === "changed" ? await commandFingerprint(pipeline, step, work, path) : undefined;
      return { fingerprint, perform: () => performCommand(pipeline, step, work, path, means.stop) };
    }
    default: {
      const { kind, playbooks, nodes } = work;
      const meant = nodes === undefined ? means.nodes : means.nodes.filter((node) => means.selected(node, nodes));
      return { fingerprint: undefined, perform: () => means.playbooks(kind, playbooks, meant, step.name) };
    }
  }
}

function loadFed(
  pipeline: Pipeline,
  step: Step,
  work: Extract<StepWork, { kind: "job" }>,
  path: string,
  inventory: Inventory,
): Job {
  const feeds = new Feeds(new Map(inputsOf(step.feeds, path).map((input) => [input.path, input.source])));
  const { file, set, range } = work;
  return loadJob(file, { set, range, feeds, inventory, name: jobName(pipeline.name, step.name) });
}

async function performJob(job: Job, folder: string, step: string, means: Means): Promise<Outcome> {
  // Without a journal it is what a session that was killed had begun to take over.
  if (!existsSync(join(folder, "journal.ndjson"))) rmSync(folder, { recursive: true, force: true });
  const observer = means.observer(step);
  try {
    const { summary } = await runJob(job, means.nodes, {
      out: folder,
      fresh: false,
      adopt: means.adopt,
      inventory: means.inventory.file ?? "local",
      stop: means.stop,
      selected: means.selected,
      observer,
      rates: ratesFile(means.inventory.file),
      inspection: await means.inspection(job),
    });
    return outcomeOf(summary);
  } finally {
    observer.end();
  }
}

function outcomeOf(summary: Summary): Outcome {
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
      return { state: "failed", run, exit: chunks.done > 0 ? 3 : 69, reason: strandedReason(nodes) };
    case "superseded":
      return { state: "failed", run, exit: 75, reason: [summary.error, summary.next].join("\n") };
    case "broken":
      return { state: "failed", run, exit: 3, reason: summary.error ?? state };
  }
}

/** Why there is no node left: of each, or of the first of many. */
function strandedReason(nodes: Summary["nodes"]): string {
  const lines = nodes.map(({ node, state, reason }) => `${node}: ${state}${reason === undefined ? "" : `: ${reason}`}`);
  const more = lines.length > NAMED ? [`and ${lines.length - NAMED} more`] : [];
  return ["no usable node is left", ...lines.slice(0, NAMED), ...more].join("\n");
}

async function performCommand(
  pipeline: Pipeline,
  step: Step,
  work: Extract<StepWork, { kind: "command" }>,
  path: string,
  stop: AbortSignal,
): Promise<Outcome> {
  const folder = join(path, step.name);
  mkdirSync(folder, { recursive: true });
  const fault = await runCommand(work, { cwd: pipeline.folder, folder, inputs: inputsOf(step.feeds, path), stop });
  if (fault === undefined) return { state: "complete" };
  return fault.kind === "interrupted"
    ? { state: "interrupted", exit: 130 }
    : { state: "failed", reason: fault.reason, exit: 3 };
}
