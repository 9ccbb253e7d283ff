import { setTimeout as sleep } from "node:timers/promises";
import { type AnyRunStatus, readAnyRunStatus, type StepStatus } from "../executor/pipeline/anyrunstatus.js";
import { formatStep } from "../report/pipelinetext.js";
import type { PipelineProgress } from "../report/pipelineview.js";
import { ProgressLines } from "../report/progresstext.js";
import type { Writers } from "../report/writers.js";
import { createLiveDisplay } from "./livedisplay.js";
import type { CommonOptions } from "./options.js";

const MIN_POLL_MS = 1000;
/** Reading the journals of the steps takes at most this share of the time. */
const MAX_POLL_SHARE = 0.05;
const LINE_INTERVAL_MS = 10_000;

/** Shows the run of a pipeline from its run directory, until its coordinator ends or the signal aborts. */
export async function attachToPipeline(
  path: string,
  options: CommonOptions,
  writers: Writers,
  signal: AbortSignal,
): Promise<void> {
  const isSilent = options.quiet === true || options.json === true;
  const display = await createLiveDisplay({ ...options, quiet: isSilent });
  const shown = display?.writers(writers) ?? writers;
  const print = (text: string) => {
    if (!isSilent) shown.err(text);
  };
  print(`run directory: ${path}`);
  const steps = new WatchedSteps();
  let linesAtMs = performance.now() + LINE_INTERVAL_MS;
  try {
    while (!signal.aborted) {
      const began = performance.now();
      const status = readAnyRunStatus(path, Date.now());
      for (const step of steps.update(status.steps ?? [])) print(formatStep({ ...step, kind: "", run: undefined }));
      if (status.state !== "running") return;
      display?.showPipeline(() => steps.describe(status));
      if (display === undefined && began > linesAtMs) {
        linesAtMs = began + LINE_INTERVAL_MS;
        for (const line of steps.formatTotals(status)) print(line);
      }
      const pauseMs = Math.max(MIN_POLL_MS, (performance.now() - began) / MAX_POLL_SHARE);
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  } finally {
    display?.end();
  }
}

/** The steps of a pipeline as they were when last looked at. */
class WatchedSteps {
  private states: Map<string, StepStatus["state"]> | undefined;
  private readonly lines = new Map<string, ProgressLines>();
  private readonly runningSinceMs = new Map<string, number>();

  /** Returns the steps that have begun or ended since the last call. */
  update(steps: StepStatus[]): StepStatus[] {
    const before = this.states;
    this.states = new Map(steps.map(({ step, state }) => [step, state]));
    for (const { step, state, run } of steps)
      if (state !== "running") this.runningSinceMs.delete(step);
      else if (!this.runningSinceMs.has(step)) this.runningSinceMs.set(step, readStart(run));
    return steps.filter(({ step, state }) => (before === undefined ? state === "running" : before.get(step) !== state));
  }

  /** Returns a line for each step that runs a job, unless it would repeat that a queue waits. */
  formatTotals({ steps = [] }: AnyRunStatus): string[] {
    return steps.flatMap(({ step, state, run }) => {
      if (state !== "running" || run?.live === undefined) return [];
      const lines = this.lines.get(step) ?? new ProgressLines();
      this.lines.set(step, lines);
      const line = lines.next(run.live, Date.now());
      return line === undefined ? [] : [`[${step}] ${line}`];
    });
  }

  describe({ name, started, units, chunks, steps = [] }: AnyRunStatus): PipelineProgress {
    const running = steps.filter(({ state }) => state === "running");
    // Repetitions of a step are named STEP/FOLDER, and are shown instead of it.
    const shown = running.filter(({ step }) => !running.some((other) => other.step.startsWith(`${step}/`)));
    return {
      name,
      sinceMs: Date.parse(started ?? ""),
      total: Number(units.total ?? 0),
      done: chunks.done,
      failed: chunks.failed,
      running: shown.map(({ step, run }) => ({
        name: step,
        sinceMs: this.runningSinceMs.get(step) ?? Date.now(),
        ...(run?.live === undefined ? {} : { live: run.live }),
      })),
    };
  }
}

/** Returns when a step began, in Unix milliseconds; now where it has no job that says so. */
function readStart(run: StepStatus["run"]): number {
  const since = Date.parse(run?.coordinator?.since ?? "");
  return Number.isNaN(since) ? Date.now() : since;
}
