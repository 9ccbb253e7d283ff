import type { FilePosition } from "../../schemas/errors.js";
import type { CronSchedule } from "../cron/expression.js";
import type { Job, Template } from "../job/job.js";
import type { NotificationEvent, NotificationTarget } from "./notificationconfig.js";

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
  when: "always" | "changed";
  schedule?: CronSchedule;
  /** Its position in the file. */
  position: FilePosition;
}

/** An input that another step produces. */
export interface StepInput {
  /** The relative path under which the step finds it. */
  path: string;
  step: string;
  /** Its path in the folder of the step that produces it. */
  from: string;
}

export type StepAction =
  /** `job` was loaded for checking, while inputs from other steps did not exist yet. */
  | { kind: "job"; file: string; set: Record<string, string>; range?: [bigint, bigint]; job: Job }
  | { kind: "provision" | "verify"; playbooks: string[]; nodes?: string[]; position: FilePosition }
  /** A program that runs on this machine. */
  | { kind: "command"; argv: Template[]; outputs: string[]; timeoutSeconds?: number };

/** Returns the name of the job of a step, which is also its name on the nodes. */
export function nameStepJob(pipeline: string, step: string): string {
  return `${pipeline}.${step}`;
}
