import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import { failpoint } from "../run/failpoint.js";
import { readSummary } from "../run/record/runsummary.js";
import { explainDiskError } from "../run/results/diskspace.js";
import { type StepDependencies, withDependents } from "./dependencies.js";
import { type PipelineContext, prepareStep, type StepOutcome } from "./executestep.js";
import type { Pipeline, PipelineStep } from "./pipeline.js";
import { openPipelineDirectory, type PipelineDirectory, recordOpen } from "./pipelinedirectory.js";
import type { PipelineState } from "./pipelinejournal.js";
import { type PipelineSummary, type StepSummary, writePipelineSummary } from "./pipelinesummary.js";
import { findLastCompletion, reuseResults } from "./previousruns.js";
import type { StepFingerprint } from "./stepfingerprint.js";
import { dependenciesOf, type StepSelection, selectSteps } from "./stepselection.js";
import { findBlockedSteps, findReadySteps, hasResults, type StepState } from "./stepstate.js";

/** Whoever watches; called as things happen. */
export interface PipelineObserver {
  begin(path: string): void;
  step(step: StepSummary): void;
}

/** A step's own fields of a summary; those that are not known are absent. */
type StepResult = Omit<StepSummary, "step" | "kind">;

/**
 * Runs a pipeline in the run directory `path`, on from where an earlier run of it stopped: steps that do not need one another
 * side by side, one that fails stops only those that need it. Everything is in the journal before what depends on it begins.
 * Rejects with a MusterError where that is refused (OTHER_RUN, CHANGED, HELD, NO_RESULTS), and where its run directory cannot be written (DISK).
 */
export async function runPipeline(
  pipeline: Pipeline,
  path: string,
  selection: StepSelection,
  means: PipelineContext,
  observer: PipelineObserver,
): Promise<{ summary: PipelineSummary; already: boolean }> {
  const directory = openPipelineDirectory(path, pipeline);
  try {
    const run = new PipelineRun(pipeline, directory, means, observer);
    return await run.run(selection);
  } catch (error) {
    throw explainDiskError(path, error);
  } finally {
    directory.close();
  }
}

class PipelineRun {
  private readonly needs: StepDependencies;
  private readonly states = new Map<string, StepState>();
  private readonly results = new Map<string, StepResult>();
  private readonly running = new Map<string, Promise<void>>();
  private readonly startedAtMs = Date.now();
  /** Fires when something that is no step's own fault has gone wrong: then all of them stop. */
  private readonly internalFailure = new AbortController();
  private readonly context: PipelineContext;

  constructor(
    private readonly pipeline: Pipeline,
    private readonly directory: PipelineDirectory,
    means: PipelineContext,
    private readonly observer: PipelineObserver,
  ) {
    this.needs = dependenciesOf(pipeline);
    this.context = { ...means, stop: AbortSignal.any([means.stop, this.internalFailure.signal]) };
  }

  async run(selection: StepSelection): Promise<{ summary: PipelineSummary; already: boolean }> {
    const meant = selectSteps(selection, this.needs);
    for (const { name } of this.pipeline.steps) this.states.set(name, "left out");
    await this.restoreFinishedSteps(meant);
    if ([...meant].every((step) => hasResults(this.states.get(step)!)))
      return { summary: this.summarize("complete"), already: true };
    await recordOpen(this.directory, [...meant]);
    this.observer.begin(this.directory.path);
    await this.reuseRequiredSteps(meant);
    try {
      await this.executeSteps();
    } catch (error) {
      this.internalFailure.abort();
      await Promise.allSettled(this.running.values());
      throw error;
    }
    const summary = this.summarize(this.decideState(meant));
    writePipelineSummary(summary);
    this.directory.journal.add({ e: "close", state: summary.state, at: now() });
    await this.directory.journal.flush();
    return { summary, already: false };
  }

  /** What an earlier session has done stays done; nodes may have changed since, so what looks at them is done again where something follows. */
  private async restoreFinishedSteps(meant: Set<string>): Promise<void> {
    const { endedSteps: ended } = this.directory.replay;
    const good = (name: string) => hasResults(ended.get(name)?.state ?? "waiting");
    for (const step of this.pipeline.steps) {
      const end = ended.get(step.name);
      const followed = [...withDependents(step.name, this.needs)].some((other) => meant.has(other) && !good(other));
      const stale = step.action.kind !== "job" && step.action.kind !== "command" && followed;
      if (end !== undefined && good(step.name) && !(stale && meant.has(step.name))) {
        this.states.set(step.name, end.state);
        this.results.set(step.name, { state: end.state, seconds: end.seconds, reason: end.reason });
        if (end.state === "complete") {
          await this.rejectChangedInputs(step, end.fingerprint);
          await this.cleanLeftovers(step);
        }
      } else if (meant.has(step.name)) this.states.set(step.name, "waiting");
    }
  }

  /** A job's inputs must still be what they were. A command may have written to a file that it names, so that says nothing. */
  private async rejectChangedInputs(step: PipelineStep, fingerprint: string | undefined): Promise<void> {
    if (fingerprint === undefined || step.action.kind !== "job") return;
    const prepared = await prepareStep(this.pipeline, step, this.directory.path, this.context);
    if (prepared.fingerprint?.matches(fingerprint)) return;
    throw new MusterError(
      "CHANGED",
      65,
      `${this.directory.path}: step ${step.name} is complete, but what it depends on has changed since`,
      {
        next: "Start anew beside it with --fresh; with `when: changed` steps that are the same as before are not run again.",
      },
    );
  }

  /** A complete job that left something on a node that could not be reached is run again, which cleans the node and no more. */
  private async cleanLeftovers(step: PipelineStep): Promise<void> {
    const folder = join(this.directory.path, step.name);
    if (step.action.kind !== "job" || !existsSync(join(folder, "journal.ndjson"))) return;
    if ((readSummary(folder)?.leftovers ?? []).length === 0) return;
    const prepared = await prepareStep(this.pipeline, step, this.directory.path, this.context);
    const { run } = await prepared.execute();
    this.results.set(step.name, { ...this.results.get(step.name)!, run });
  }

  /** Steps that are not meant, but needed by one that is: their results come from the last run in which they were complete. */
  private async reuseRequiredSteps(meant: Set<string>): Promise<void> {
    const wanted = new Set([...meant].flatMap((step) => this.needs.get(step)!).filter((step) => !meant.has(step)));
    for (const { name, action: work } of this.pipeline.steps) {
      if (!wanted.has(name) || hasResults(this.states.get(name)!)) continue;
      if (work.kind !== "job" && work.kind !== "command") {
        this.states.set(name, "complete");
        this.results.set(name, { state: "left out" });
        continue;
      }
      const { path } = this.directory;
      const earlier = findLastCompletion(dirname(path), path, this.pipeline.name, name);
      if (earlier === undefined)
        throw new MusterError(
          "NO_RESULTS",
          65,
          `step ${name} is needed, and has not been complete in any run in ${dirname(path)}`,
          {
            next: "Run the whole pipeline first.",
          },
        );
      reuseResults(earlier.folder, join(path, name));
      await this.recordEnd(
        name,
        { state: "taken over", reason: `from ${dirname(earlier.folder)}` },
        earlier.fingerprint,
      );
    }
  }

  private async executeSteps(): Promise<void> {
    for (;;) {
      for (const name of findBlockedSteps(this.needs, this.states)) await this.recordBlocked(name);
      if (!this.context.stop.aborted)
        for (const name of findReadySteps(this.needs, this.states)) {
          this.states.set(name, "running");
          const work = this.executeStep(this.pipeline.steps.find((step) => step.name === name)!);
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
    const why = this.needs.get(name)!.filter((one) => !hasResults(this.states.get(one)!));
    await this.recordEnd(name, { state: "blocked", reason: `it needs ${why.join(", ")}` }, undefined);
  }

  private async executeStep(step: PipelineStep): Promise<void> {
    const { path, journal } = this.directory;
    journal.add({ e: "begin", step: step.name, at: now() });
    await journal.flush();
    failpoint("step-begun");
    this.observer.step({ step: step.name, kind: step.action.kind, state: "running" });
    const began = performance.now();
    let fingerprint: StepFingerprint | undefined;
    const outcome = await this.catchFailure(async () => {
      const prepared = await prepareStep(this.pipeline, step, path, this.context);
      fingerprint = prepared.fingerprint;
      return this.reuseIfUnchanged(step, fingerprint) ?? (await prepared.execute());
    });
    failpoint("step-done");
    const seconds = Math.round(performance.now() - began) / 1000;
    await this.recordEnd(step.name, { seconds, ...outcome }, fingerprint?.toStored());
    failpoint("step-ended");
  }

  /** What a step failed of is told of that step; what is no fault of anybody's but ours ends everything. */
  private async catchFailure(work: () => Promise<StepOutcome>): Promise<StepOutcome> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      const next = error.next === undefined ? "" : `\n${error.next}`;
      return { state: "failed", reason: `${error.message}${next}`, exit: error.exitStatus };
    }
  }

  /** Takes the results of the last complete run over, where a step asks for that and nothing has changed. */
  private reuseIfUnchanged(step: PipelineStep, fingerprint: StepFingerprint | undefined): StepOutcome | undefined {
    const { path } = this.directory;
    const folder = join(path, step.name);
    if (step.when !== "changed" || fingerprint === undefined || existsSync(join(folder, "journal.ndjson")))
      return undefined;
    const earlier = findLastCompletion(dirname(path), path, this.pipeline.name, step.name, fingerprint);
    if (earlier === undefined) return undefined;
    reuseResults(earlier.folder, folder);
    return { state: "unchanged", reason: `as in ${dirname(earlier.folder)}` };
  }

  private async recordEnd(name: string, told: StepResult, fingerprint: string | undefined): Promise<void> {
    const { state, seconds, reason } = told;
    this.directory.journal.add({ e: "end", step: name, state, fingerprint, seconds, reason, at: now() });
    await this.directory.journal.flush();
    this.states.set(name, state);
    this.results.set(name, told);
    this.observer.step(this.summarizeStep(name));
  }

  private decideState(meant: Set<string>): PipelineState {
    if ([...meant].every((step) => hasResults(this.states.get(step)!))) return "complete";
    return this.context.stop.aborted ? "interrupted" : "partial";
  }

  private summarizeStep(name: string): StepSummary {
    const kind = this.pipeline.steps.find((step) => step.name === name)!.action.kind;
    return { step: name, kind, ...(this.results.get(name) ?? { state: this.states.get(name)! }) };
  }

  private summarize(state: PipelineState): PipelineSummary {
    return {
      name: this.pipeline.name,
      state,
      directory: this.directory.path,
      started: this.directory.replay.startedAt ?? new Date(this.startedAtMs).toISOString(),
      seconds: (Date.now() - this.startedAtMs) / 1000,
      steps: this.pipeline.steps.map(({ name }) => this.summarizeStep(name)),
    };
  }
}

function now(): string {
  return new Date().toISOString();
}
