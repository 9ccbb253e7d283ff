import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunSummary } from "../run/record/runsummary.js";
import type { PipelineState } from "./pipelinejournal.js";
import type { StepState } from "./stepstate.js";

/** What became of a run of a pipeline: summary.json, what `--json` prints, and what notices carry. */
export interface PipelineSummary {
  name: string;
  state: PipelineState;
  directory: string;
  started: string;
  /** Of this session alone. */
  seconds: number;
  steps: StepSummary[];
}

export interface StepSummary {
  step: string;
  kind: string;
  state: StepState;
  seconds?: number;
  reason?: string;
  /** Of a step that did not end well: the exit code that the same would have had by itself. */
  exit?: number;
  /** Of a job that ran, or was found complete, in this session. */
  run?: Pick<RunSummary, "chunks" | "nodes" | "leftovers">;
  /** Of a verify or provision: every node and resource, as `verify --json` has them. */
  drift?: unknown;
}

/** Replaces summary.json in one step. */
export function writePipelineSummary(summary: PipelineSummary): void {
  const file = join(summary.directory, "summary.json");
  writeFileSync(`${file}.partial`, `${JSON.stringify(summary, null, 2)}\n`);
  renameSync(`${file}.partial`, file);
}
