import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import { failpoint } from "../run/failpoint.js";
import { explainDiskError } from "../run/record/diskerror.js";
import { readSummary } from "../run/record/runsummary.js";
import {
  dependenciesOf,
  type StepDependencies,
  type StepSelection,
  selectSteps,
  withDependents,
} from "./dependencies.js";
import { readEachValues, repeatStep } from "./each.js";
import { type PreparedStep, prepareStep } from "./executestep.js";
import type { PipelineStep } from "./pipeline.js";
import { openPipelineDirectory, type PipelineDirectory, recordOpen } from "./pipelinedirectory.js";
import type { PipelineState } from "./pipelinejournal.js";
import { type PipelineSummary, writePipelineSummary } from "./pipelinesummary.js";
import { findLastCompletion, reuseIfUnchanged, reuseRepetitions, reuseResults } from "./previousruns.js";
import { combineRepetitions, MAX_CONCURRENT_REPETITIONS, runConcurrently } from "./repetitions.js";
import type { PipelineContext, PipelineObserver, PlaybookRunner, StepOutcome } from "./stepcontext.js";
import type { StepFingerprint } from "./stepfingerprint.js";
import { StepRecords } from "./steprecords.js";
import { findBlockedSteps, findReadySteps, hasResults } from "./stepstate.js";

/**
 * Runs a pipeline in the run directory of `context`, or resumes it. Steps that do not depend on one another run concurrently, and a
 * failed step stops only its dependents. Everything is journaled before a step that depends on it begins. `already`: every selected
 * step was complete, so nothing was done. Rejects with a MusterError (OTHER_RUN, CHANGED, HELD, NO_RESULTS, or DISK where the run
 * directory cannot be written).
 */
export async function runPipeline(
  context: PipelineContext,
  selection: StepSelection,
  playbooks: PlaybookRunner,
  observer: PipelineObserver,
): Promise<{ summary: PipelineSummary; already: boolean }> {
  const { path, pipeline } = context;
  const directory = openPipelineDirectory(path, pipeline);
  try {
    const run = new PipelineRun(context, directory, playbooks, observer);
    return await run.run(selection);
  } catch (error) {
    throw explainDiskError(path, error);
  } finally {
    directory.close();
  }
}

class PipelineRun {
  private readonly steps: readonly PipelineStep[];
  private readonly needs: StepDependencies;
  private readonly records: StepRecords;
  private readonly running = new Map<string, Promise<void>>();
  private readonly startedAtMs = Date.now();
  /** Stops all steps after an error that is not the fault of one of them. */
  private readonly internalFailure = new AbortController();
  private readonly context: PipelineContext;

  constructor(
    context: PipelineContext,
    private readonly directory: PipelineDirectory,
    private readonly playbooks: PlaybookRunner,
    private readonly observer: PipelineObserver,
  ) {
    this.steps = context.pipeline.steps;
    this.needs = dependenciesOf(context.pipeline);
    this.records = new StepRecords(directory, observer);
    this.context = { ...context, stop: AbortSignal.any([context.stop, this.internalFailure.signal]) };
  }

  async run(selection: StepSelection): Promise<{ summary: PipelineSummary; already: boolean }> {
    const selected = selectSteps(selection, this.needs);
    for (const { name } of this.steps) this.states.set(name, "left out");
    await this.restoreFinishedSteps(selected);
    if ([...selected].every((step) => hasResults(this.states.get(step)!)))
      return { summary: this.summarize(this.decideState(selected)), already: true };
    await recordOpen(this.directory, [...selected]);
    this.observer.begin(this.directory.path, this.states);
    await this.reuseRequiredSteps(selected);
    try {
      await this.executeSteps();
    } catch (error) {
      this.internalFailure.abort();
      await Promise.allSettled(this.running.values());
      throw error;
    }
    const summary = this.summarize(this.decideState(selected));
    writePipelineSummary(summary);
    this.directory.journal.add({ e: "close", state: summary.state, at: now() });
    await this.directory.journal.flush();
    return { summary, already: false };
  }

  /**
   * Restores the steps that an earlier session has finished. Provision and verify steps run again where a dependent is still to run, and
   * in a pipeline of such steps alone, because the nodes may have changed since.
   */
  private async restoreFinishedSteps(selected: Set<string>): Promise<void> {
    const { endedSteps } = this.directory.replay;
    const concernsNodes = ({ action }: PipelineStep) => action.kind === "provision" || action.kind === "verify";
    const isInspection = this.steps.every(concernsNodes);
    const isDone = (name: string) => hasResults(endedSteps.get(name)?.state ?? "waiting");
    for (const step of this.steps) {
      for (const repetition of this.listEndedRepetitions(step)) await this.restore(repetition);
      const hasOpenDependent = [...withDependents(step.name, this.needs)].some(
        (other) => selected.has(other) && !isDone(other),
      );
      const isStale = concernsNodes(step) && (hasOpenDependent || isInspection);
      if (isDone(step.name) && !(isStale && selected.has(step.name))) await this.restore(step);
      else if (selected.has(step.name)) this.states.set(step.name, "waiting");
    }
  }

  /** Returns the repetitions of a step that an earlier session has finished. */
  private listEndedRepetitions(step: PipelineStep): PipelineStep[] {
    const { endedSteps } = this.directory.replay;
    const hasAny = [...endedSteps.keys()].some((name) => name.startsWith(`${step.name}/`));
    if (step.each === undefined || !hasAny) return [];
    const repetitions = repeatStep(step, readEachValues(this.context, step.each));
    return repetitions.filter(({ name }) => hasResults(endedSteps.get(name)?.state ?? "waiting"));
  }

  /** Restores a step, or a repetition of one, that an earlier session has finished. */
  private async restore(step: PipelineStep): Promise<void> {
    const { state, seconds, reason, fingerprint } = this.directory.replay.endedSteps.get(step.name)!;
    const repetitions = this.listEndedRepetitions(step).map((one) => this.records.summarize(one));
    this.records.set(step, { state, seconds, reason, ...(repetitions.length === 0 ? {} : { repetitions }) });
    if (state !== "complete" && state !== "enough") return;
    await this.rejectChangedInputs(step, fingerprint);
    // To execute an incomplete job again would retry its failed chunks.
    if (state === "complete") await this.cleanLeftovers(step);
  }

  /**
   * Throws CHANGED where the inputs of a complete job have changed. Commands are not checked: a command may itself write to a file
   * that it names.
   */
  private async rejectChangedInputs(step: PipelineStep, fingerprint: string | undefined): Promise<void> {
    if (fingerprint === undefined || step.action.kind !== "job") return;
    const prepared = await this.prepare(step);
    if (prepared.fingerprint?.matches(fingerprint)) return;
    throw new MusterError(
      "CHANGED",
      `${this.directory.path}: step ${step.name} is complete, but its inputs have changed since`,
      {
        next: "Start a new run with --fresh. Steps with `when: changed` reuse results where nothing has changed.",
      },
    );
  }

  /** Executes a complete job again where it left data on an unreachable node. That cleans the node and computes nothing. */
  private async cleanLeftovers(step: PipelineStep): Promise<void> {
    const folder = join(this.directory.path, step.name);
    if (step.action.kind !== "job" || !existsSync(join(folder, "journal.ndjson"))) return;
    if ((readSummary(folder)?.leftovers ?? []).length === 0) return;
    const prepared = await this.prepare(step);
    const { run } = await prepared.execute();
    this.records.amend(step, { run });
  }

  /** Reuses the last complete results of steps that are not selected but that a selected step needs. */
  private async reuseRequiredSteps(selected: Set<string>): Promise<void> {
    const required = new Set(
      [...selected].flatMap((step) => this.needs.get(step)!).filter((one) => !selected.has(one)),
    );
    for (const step of this.steps) {
      const { name, action, each } = step;
      if (!required.has(name) || hasResults(this.states.get(name)!)) continue;
      if (action.kind !== "job" && action.kind !== "command") {
        this.records.set(step, { state: "left out" });
        this.states.set(name, "complete");
        continue;
      }
      const { path } = this.directory;
      const earlier = findLastCompletion(dirname(path), path, this.context.pipeline, name);
      if (earlier === undefined)
        throw new MusterError(
          "NO_RESULTS",
          `step ${name} is required, but it is not complete in any run in ${dirname(path)}`,
          { next: "Run the whole pipeline first." },
        );
      (each === undefined ? reuseResults : reuseRepetitions)(earlier.folder, join(path, name));
      const reason = `from ${earlier.run}`;
      await this.records.end(step, { state: "taken over", reason }, earlier.fingerprint);
    }
  }

  private async executeSteps(): Promise<void> {
    for (;;) {
      for (const name of findBlockedSteps(this.needs, this.states)) await this.recordBlocked(name);
      if (!this.context.stop.aborted)
        for (const name of findReadySteps(this.needs, this.states)) {
          this.states.set(name, "running");
          const work = this.executeStep(this.findStep(name));
          this.running.set(
            name,
            work.finally(() => this.running.delete(name)),
          );
        }
      if (this.running.size === 0) return;
      await Promise.race(this.running.values());
    }
  }

  private async recordBlocked(name: string): Promise<void> {
    const missing = this.needs.get(name)!.filter((one) => !hasResults(this.states.get(one)!));
    await this.records.end(
      this.findStep(name),
      { state: "blocked", reason: `it needs ${missing.join(", ")}` },
      undefined,
    );
  }

  /** Executes a step, or a repetition of one. */
  private async executeStep(step: PipelineStep): Promise<void> {
    await this.records.begin(step);
    failpoint("step-begun");
    this.records.reportRunning(step);
    const began = performance.now();
    let fingerprint: StepFingerprint | undefined;
    const outcome = await this.catchFailure(async () => {
      if (step.each !== undefined) return this.executeRepetitions(step, readEachValues(this.context, step.each));
      const prepared = await this.prepare(step);
      fingerprint = prepared.fingerprint;
      const unchanged = await reuseIfUnchanged(this.directory.path, this.context.pipeline, step, fingerprint);
      return unchanged ?? (await prepared.execute());
    });
    failpoint("step-done");
    const seconds = Math.round(performance.now() - began) / 1000;
    await this.records.end(step, { seconds, ...outcome }, fingerprint?.toStored());
    failpoint("step-ended");
  }

  /** Executes the repetitions of a step that have no results yet. */
  private async executeRepetitions(step: PipelineStep, values: readonly string[]): Promise<StepOutcome> {
    const repetitions = repeatStep(step, values);
    mkdirSync(join(this.directory.path, step.name), { recursive: true });
    const open = repetitions.filter(({ name }) => !hasResults(this.states.get(name) ?? "waiting"));
    await runConcurrently(
      open,
      MAX_CONCURRENT_REPETITIONS,
      () => this.context.stop.aborted,
      (repetition) =>
        this.executeStep(repetition).catch((error) => {
          this.internalFailure.abort();
          throw error;
        }),
    );
    return combineRepetitions(repetitions.map((one) => this.records.summarize(one)));
  }

  /** Turns a MusterError into the outcome of the step. Any other error is a bug and ends the whole run. */
  private async catchFailure(work: () => Promise<StepOutcome>): Promise<StepOutcome> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      const next = error.next === undefined ? "" : `\n${error.next}`;
      return { state: "failed", reason: `${error.message}${next}`, exit: error.exitStatus };
    }
  }

  private prepare(step: PipelineStep): Promise<PreparedStep> {
    return prepareStep(this.context, step, this.playbooks, this.observer);
  }

  private decideState(selected: Set<string>): PipelineState {
    const states = [...selected].map((step) => this.states.get(step)!);
    if (states.every(hasResults)) return states.includes("enough") ? "partial" : "complete";
    return this.context.stop.aborted ? "interrupted" : "partial";
  }

  private findStep(name: string): PipelineStep {
    return this.steps.find((step) => step.name === name)!;
  }

  private get states(): StepRecords["states"] {
    return this.records.states;
  }

  private summarize(state: PipelineState): PipelineSummary {
    return {
      name: this.context.pipeline.name,
      state,
      directory: this.directory.path,
      started: this.directory.replay.startedAt ?? new Date(this.startedAtMs).toISOString(),
      seconds: (Date.now() - this.startedAtMs) / 1000,
      steps: this.steps.map((step) => this.records.summarize(step)),
    };
  }
}

function now(): string {
  return new Date().toISOString();
}
