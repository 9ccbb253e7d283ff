import type { NotificationTarget } from "../../fleet/notificationtarget.js";
import type { FilePosition } from "../../schemas/errors.js";
import type { CronSchedule } from "../cron/expression.js";
import type { Enough } from "../job/enough.js";
import type { Job, Template } from "../job/job.js";
import type { NotificationEvent } from "./notificationconfig.js";

/** A pipeline that has been loaded and checked. */
export interface Pipeline {
  name: string;
  /** The absolute path of its file, and its folder. */
  file: string;
  folder: string;
  /** In the order of the file. */
  steps: PipelineStep[];
  schedule?: CronSchedule;
  overlap: OverlapPolicy;
  /** How long a scheduled run waits for nodes that do not answer; undefined = as `nodeWaitSeconds` says. */
  waitForNodesSeconds?: number;
  notifications: Record<NotificationEvent, NotificationTarget[]>;
  retention?: RetentionPolicy;
  /** The absolute path of the metrics file that is written after a run. */
  metrics?: string;
}

/** What a scheduled run does while an earlier one is active. */
export type OverlapPolicy = "skip" | "wait" | "fail";

/** How many finished scheduled runs are kept, or for how long. */
export type RetentionPolicy = { runs: number } | { seconds: number };

export interface PipelineStep {
  name: string;
  /** Steps that must be complete before it, in the order of the file. */
  needs: string[];
  /** The files that it takes from other steps. */
  inputs: StepInput[];
  action: StepAction;
  /** The values that it is repeated over. */
  each?: EachValues;
  when: "always" | "changed";
  schedule?: CronSchedule;
  /** Its position in the file. */
  position: FilePosition;
}

/** An output of a step. */
export interface StepFile {
  step: string;
  /** As the pipeline names it; "" = all results of the step. */
  file: string;
  /** Its path in the folder of the step; undefined = it is looked for when the step has run. */
  from?: string;
}

/** An input that another step produces. */
export interface StepInput extends StepFile {
  /** The relative path under which the step finds it. */
  path: string;
}

/** A file that a pipeline names: one that exists (absolute), or an output of a step. */
export type FileReference = { kind: "file"; path: string } | ({ kind: "output" } & StepFile);

/** The values of a step with `each`, or the file with one in each line. A file that exists has been read. */
export type EachValues =
  | { kind: "values"; values: readonly string[] }
  | { kind: "lines"; output: StepFile; position: FilePosition };

export interface JobAction {
  kind: "job";
  source: FileReference;
  /** The folder that relative paths in the job start from, absolute; undefined = that of the job file. */
  folder?: string;
  set: Record<string, string>;
  range?: [bigint, bigint];
  enough?: Enough;
  /** The file with the tasks of its queue; undefined = there is no queue, or others add its tasks. */
  tasks?: FileReference;
  /**
   * The job as it was loaded for checking, while inputs from other steps did not exist yet: in a step with `each`, with the first
   * value. Undefined where a step makes it.
   */
  job?: Job;
  /** The position of `job` in the pipeline. */
  position: FilePosition;
}

export type StepAction =
  | JobAction
  | { kind: "provision" | "verify"; playbooks: string[]; nodes?: string[]; position: FilePosition }
  /** A program that runs on this machine. */
  | { kind: "command"; argv: Template[]; outputs: string[]; timeoutSeconds?: number };

/**
 * Returns the name of the job of a step, which is also its name on the nodes. All repetitions of a step have the same, so that they
 * share what is learned about slots.
 */
export function nameStepJob(pipeline: string, step: string): string {
  return `${pipeline}.${step.split("/")[0]}`;
}
