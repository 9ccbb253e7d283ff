import type { FilePosition } from "../../schemas/errors.js";
import type { CronSchedule } from "../cron/expression.js";
import type { Job, Template } from "../job/job.js";
import type { NotificationEvent, NotificationTarget } from "./notificationconfig.js";

/** Steps that need one another, loaded and checked. */
export interface Pipeline {
  name: string;
  /** Absolute path of its file, and its folder. */
  file: string;
  folder: string;
  /** In the order of the file. */
  steps: PipelineStep[];
  schedule?: CronSchedule;
  /** Of scheduled runs. */
  overlap: OverlapPolicy;
  /** Who is told of what. */
  notifications: Record<NotificationEvent, NotificationTarget[]>;
  retention?: RetentionPolicy;
  /** The file that gets figures when a run is over; absolute. */
  metrics?: string;
}

/** What a scheduled start does while an earlier one still runs. */
export type OverlapPolicy = "skip" | "wait" | "fail";

/** How many finished scheduled runs are kept, or for how long, in seconds. */
export type RetentionPolicy = { runs: number } | { seconds: number };

export interface PipelineStep {
  name: string;
  /** Steps that must be complete before it, in the order of the file. */
  needs: string[];
  /** What it takes from other steps. */
  inputs: StepInput[];
  action: StepAction;
  when: "always" | "changed";
  schedule?: CronSchedule;
  /** Where it stands in the file. */
  place: FilePosition;
}

/** One input that another step makes. */
export interface StepInput {
  /** What it is called by whoever takes it: a relative path. */
  path: string;
  step: string;
  /** Where it lies in the folder of that step. */
  from: string;
}

export type StepAction =
  /** `job`: as it was checked, with inputs that were not there yet. */
  | { kind: "job"; file: string; set: Record<string, string>; range?: [bigint, bigint]; job: Job }
  | { kind: "provision" | "verify"; playbooks: string[]; nodes?: string[]; place: FilePosition }
  /** A program that runs here. `timeout`: seconds. */
  | { kind: "command"; argv: Template[]; outputs: string[]; timeoutSeconds?: number };

/** The name of a step's job, on the nodes too. */
export function nameStepJob(pipeline: string, step: string): string {
  return `${pipeline}.${step}`;
}
