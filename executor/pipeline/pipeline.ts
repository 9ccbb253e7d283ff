import type { Place } from "../../schemas/errors.js";
import type { Schedule } from "../cron/expression.js";
import type { Job, Template } from "../job/job.js";
import type { Notice, Occasion } from "./notices.js";

/** Steps that need one another, loaded and checked. */
export interface Pipeline {
  name: string;
  /** Absolute path of its file, and its folder. */
  file: string;
  folder: string;
  /** In the order of the file. */
  steps: Step[];
  schedule?: Schedule;
  /** Of scheduled runs. */
  overlap: Overlap;
  /** Who is told of what. */
  notices: Record<Occasion, Notice[]>;
  keep?: Keep;
  /** The file that gets figures when a run is over; absolute. */
  metrics?: string;
}

/** What a scheduled start does while an earlier one still runs. */
export type Overlap = "skip" | "wait" | "fail";

/** How many finished scheduled runs are kept, or for how long, in seconds. */
export type Keep = { runs: number } | { seconds: number };

export interface Step {
  name: string;
  /** Steps that must be complete before it, in the order of the file. */
  needs: string[];
  /** What it takes from other steps. */
  feeds: Feed[];
  work: StepWork;
  when: "always" | "changed";
  schedule?: Schedule;
  /** Where it stands in the file. */
  place: Place;
}

/** One input that another step makes. */
export interface Feed {
  /** What it is called by whoever takes it: a relative path. */
  path: string;
  step: string;
  /** Where it lies in the folder of that step. */
  from: string;
}

export type StepWork =
  /** `job`: as it was checked, with inputs that were not there yet. */
  | { kind: "job"; file: string; set: Record<string, string>; range?: [bigint, bigint]; job: Job }
  | { kind: "provision" | "verify"; playbooks: string[]; nodes?: string[]; place: Place }
  /** A program that runs here. `timeout`: seconds. */
  | { kind: "command"; words: Template[]; outputs: string[]; timeout?: number };

/** The name of a step's job, on the nodes too. */
export function jobName(pipeline: string, step: string): string {
  return `${pipeline}.${step}`;
}
