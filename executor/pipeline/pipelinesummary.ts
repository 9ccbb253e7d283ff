import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../schemas/filewrites.js";
import type { RunSummary } from "../run/record/runsummary.js";
import type { PipelineState } from "./pipelinejournal.js";
import type { StepState } from "./stepstate.js";

/** The result of a run of a pipeline: the content of summary.json, of `--json` and of notifications. */
export interface PipelineSummary {
  name: string;
  state: PipelineState;
  directory: string;
  started: string;
  /** The duration of this session only. */
  seconds: number;
  steps: StepSummary[];
}

export interface StepSummary {
  step: string;
  kind: string;
  state: StepState;
  seconds?: number;
  reason?: string;
  /** For a step without results: the exit status that the same work would have had as a command of its own. */
  exit?: number;
  /** For a job that ran, or was found complete, in this session. */
  run?: Pick<RunSummary, "chunks" | "nodes" | "leftovers" | "usage">;
  /** For a step with `each`, if this run has executed it: its repetitions, named `STEP/FOLDER`. */
  repetitions?: StepSummary[];
  /** For a verify or provision: every node and resource, as in `verify --json`. */
  drift?: unknown;
}

/** Replaces summary.json atomically. */
export function writePipelineSummary(summary: PipelineSummary): void {
  writeFileAtomic(join(summary.directory, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
}

/** Returns the summary in a run directory; undefined if there is none, or if summary.json holds something else. */
export function readPipelineSummary(path: string): PipelineSummary | undefined {
  try {
    const summary = JSON.parse(readFileSync(join(path, "summary.json"), "utf8")) as PipelineSummary;
    return typeof summary.state === "string" && Array.isArray(summary.steps) ? summary : undefined;
  } catch {
    return undefined;
  }
}
