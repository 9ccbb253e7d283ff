import type { Inventory } from "../../fleet/inventory.js";
import type { Node } from "../../fleet/node.js";
import type { Cluster } from "../../fleet/slurm/cluster.js";
import type { Job } from "../job/job.js";
import type { RunSummary } from "../run/record/runsummary.js";
import type { RunHealing } from "../run/runhealing.js";
import type { RunObserver } from "../run/runobserver.js";
import type { VerifyNode } from "../run/verifynode.js";
import type { Pipeline } from "./pipeline.js";
import type { StepSummary } from "./pipelinesummary.js";
import type { StepState } from "./stepstate.js";

/** What all steps of one run of a pipeline share. */
export interface PipelineContext {
  readonly pipeline: Pipeline;
  /** The run directory. */
  readonly path: string;
  readonly inventory: Inventory;
  /** The nodes that jobs and playbooks may use. */
  readonly nodes: Node[];
  /** The clusters that may give jobs further nodes. */
  readonly clusters: Cluster[];
  readonly stop: AbortSignal;
  /** As in RunOptions. */
  readonly adopt: boolean;
  /** Whether jobs may replace files in their folders of results. */
  readonly overwrite: boolean;
}

/** The result of a step. `exit` is the exit status that the same work would have had as a command of its own. */
export interface StepOutcome {
  state: StepState;
  reason?: string;
  exit?: number;
  run?: Pick<RunSummary, "chunks" | "nodes" | "leftovers">;
  /** Of a step with `each`. */
  repetitions?: StepSummary[];
  /** Of a verify or provision: every node and resource. */
  drift?: unknown;
}

/** What steps need of playbooks. The playbooks are a layer above the executor, so `cli/` passes them in. */
export interface PlaybookRunner {
  /** Checks a job that was not known before the run against the limits of the nodes. Throws InvalidFile where one is exceeded. */
  checkJob(job: Job, step: string): void;
  /** Returns the inspection of nodes that a job needs; undefined for a job that needs no playbooks. */
  createInspection(job: Job): Promise<VerifyNode | undefined>;
  /** Returns what a job needs to heal nodes; undefined where the inventory does not ask for it. */
  createHealing(): RunHealing | undefined;
  /** Runs a step that provisions or verifies nodes. */
  run(kind: "provision" | "verify", names: string[], nodes: Node[], step: string): Promise<StepOutcome>;
}

/** Receives what happens in the run of a pipeline. It is only informed, and decides nothing. */
export interface PipelineObserver {
  /** `states`: of all steps, as they are at any time from now on. */
  begin(path: string, states: ReadonlyMap<string, StepState>): void;
  step(step: StepSummary): void;
  /** Returns the observer of the job of a step. */
  job(step: string): RunObserver & { end(): void };
}
