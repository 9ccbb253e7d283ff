import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import { killPoint } from "../run/killpoint.js";
import { readSummary } from "../run/record/summary.js";
import { explainDisk } from "../run/results/disk.js";
import { begin, openPipelineDirectory, type PipelineDirectory } from "./directory.js";
import type { Fingerprint } from "./fingerprint.js";
import { type Needs, onwards } from "./graph.js";
import { lastComplete, takeOver } from "./past.js";
import { type Means, type Outcome, prepare } from "./perform.js";
import type { Pipeline, Step } from "./pipeline.js";
import type { PipelineState } from "./record.js";
import { meantBy, needsOf, type Selection } from "./selection.js";
import { isGood, ready, type StepState, stuck } from "./states.js";
import { type PipelineSummary, type StepSummary, writePipelineSummary } from "./summary.js";

/** Whoever watches; called as things happen. */
export interface PipelineObserver {
  begin(path: string): void;
  step(step: StepSummary): void;
}

/** A step's own fields of a summary; those that are not known are absent. */
type Told = Omit<StepSummary, "step" | "kind">;

/**
 * Runs a pipeline in the run directory `path`, on from where an earlier run of it stopped: steps that do not need one another
 * side by side, one that fails stops only those that need it. Everything is in the journal before what depends on it begins.
 * Rejects with a MusterError where that is refused (OTHER_RUN, CHANGED, HELD, NO_RESULTS), and where its run directory cannot be written (DISK).
 */
export async function runPipeline(
  pipeline: Pipeline,
  path: string,
  selection: Selection,
  means: Means,
  observer: PipelineObserver,
): Promise<{ summary: PipelineSummary; already: boolean }> {
  const directory = openPipelineDirectory(path, pipeline);
  try {
    const run = new PipelineRun(pipeline, directory, means, observer);
    return await run.work(selection);
  } catch (error) {
    throw explainDisk(path, error);
  } finally {
    directory.close();
  }
}

class PipelineRun {
  private readonly needs: Needs;
  private readonly states = new Map<string, StepState>();
  private readonly told = new Map<string, Told>();
  private readonly underway = new Map<string, Promise<void>>();
  private readonly began = Date.now();
  /** Fires when something that is no step's own fault has gone wrong: then all of them stop. */
  private readonly broken = new AbortController();
  private readonly means: Means;

  constructor(
    private readonly pipeline: Pipeline,
    private readonly directory: PipelineDirectory,
    means: Means,
    private readonly observer: PipelineObserver,
  ) {
    this.needs = needsOf(pipeline);
    this.means = { ...means, stop: AbortSignal.any([means.stop, this.broken.signal]) };
  }

  async work(selection: Selection): Promise<{ summary: PipelineSummary; already: boolean }> {
    const meant = meantBy(selection, this.needs);
    for (const { name } of this.pipeline.steps) this.states.set(name, "left out");
    await this.takeUp(meant);
    if ([...meant].every((step) => isGood(this.states.get(step)!)))
      return { summary: this.summary("complete"), already: true };
    await begin(this.directory, [...meant]);
    this.observer.begin(this.directory.path);
    await this.provide(meant);
    try {
      await this.performAll();
    } catch (error) {
      this.broken.abort();
      await Promise.allSettled(this.underway.values());
      throw error;
    }
    const summary = this.summary(this.outcome(meant));
    writePipelineSummary(summary);
    this.directory.journal.add({ e: "close", state: summary.state, at: now() });
    await this.directory.journal.flush();
    return { summary, already: false };
  }

  /** What an earlier session has done stays done; nodes may have changed since, so what looks at them is done again where something follows. */
  private async takeUp(meant: Set<string>): Promise<void> {
    const { ended } = this.directory.past;
    const good = (name: string) => isGood(ended.get(name)?.state ?? "waiting");
    for (const step of this.pipeline.steps) {
      const end = ended.get(step.name);
      const followed = [...onwards(step.name, this.needs)].some((other) => meant.has(other) && !good(other));
      const stale = step.work.kind !== "job" && step.work.kind !== "command" && followed;
      if (end !== undefined && good(step.name) && !(stale && meant.has(step.name))) {
        this.states.set(step.name, end.state);
        this.told.set(step.name, { state: end.state, seconds: end.seconds, reason: end.reason });
        if (end.state === "complete") {
          await this.refuseChanged(step, end.fingerprint);
          await this.cleanUp(step);
        }
      } else if (meant.has(step.name)) this.states.set(step.name, "waiting");
    }
  }

  /** A job's inputs must still be what they were. A command may have written to a file that it names, so that says nothing. */
  private async refuseChanged(step: Step, fingerprint: string | undefined): Promise<void> {
    if (fingerprint === undefined || step.work.kind !== "job") return;
    const prepared = await prepare(this.pipeline, step, this.directory.path, this.means);
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
  private async cleanUp(step: Step): Promise<void> {
    const folder = join(this.directory.path, step.name);
    if (step.work.kind !== "job" || !existsSync(join(folder, "journal.ndjson"))) return;
    if ((readSummary(folder)?.leftovers ?? []).length === 0) return;
    const prepared = await prepare(this.pipeline, step, this.directory.path, this.means);
    const { run } = await prepared.perform();
    this.told.set(step.name, { ...this.told.get(step.name)!, run });
  }

  /** Steps that are not meant, but needed by one that is: their results come from the last run in which they were complete. */
  private async provide(meant: Set<string>): Promise<void> {
    const wanted = new Set([...meant].flatMap((step) => this.needs.get(step)!).filter((step) => !meant.has(step)));
    for (const { name, work } of this.pipeline.steps) {
      if (!wanted.has(name) || isGood(this.states.get(name)!)) continue;
      if (work.kind !== "job" && work.kind !== "command") {
        this.states.set(name, "complete");
        this.told.set(name, { state: "left out" });
        continue;
      }
      const { path } = this.directory;
      const earlier = lastComplete(dirname(path), path, this.pipeline.name, name);
      if (earlier === undefined)
        throw new MusterError(
          "NO_RESULTS",
          65,
          `step ${name} is needed, and has not been complete in any run in ${dirname(path)}`,
          {
            next: "Run the whole pipeline first.",
          },
        );
      takeOver(earlier.folder, join(path, name));
      await this.end(name, { state: "taken over", reason: `from ${dirname(earlier.folder)}` }, earlier.fingerprint);
    }
  }

  private async performAll(): Promise<void> {
    for (;;) {
      for (const name of stuck(this.needs, this.states)) await this.block(name);
      if (!this.means.stop.aborted)
        for (const name of ready(this.needs, this.states)) {
          this.states.set(name, "running");
          const work = this.perform(this.pipeline.steps.find((step) => step.name === name)!);
          this.underway.set(
            name,
            work.finally(() => this.underway.delete(name)),
          );
        }
      if (this.underway.size === 0) return;
      await Promise.race(this.underway.values());
    }
  }

  private async block(name: string): Promise<void> {
    const why = this.needs.get(name)!.filter((one) => !isGood(this.states.get(one)!));
    await this.end(name, { state: "blocked", reason: `it needs ${why.join(", ")}` }, undefined);
  }

  private async perform(step: Step): Promise<void> {
    const { path, journal } = this.directory;
    journal.add({ e: "begin", step: step.name, at: now() });
    await journal.flush();
    killPoint("step-begun");
    this.observer.step({ step: step.name, kind: step.work.kind, state: "running" });
    const began = performance.now();
    let fingerprint: Fingerprint | undefined;
    const outcome = await this.attempt(async () => {
      const prepared = await prepare(this.pipeline, step, path, this.means);
      fingerprint = prepared.fingerprint;
      return this.unchanged(step, fingerprint) ?? (await prepared.perform());
    });
    killPoint("step-done");
    const seconds = Math.round(performance.now() - began) / 1000;
    await this.end(step.name, { seconds, ...outcome }, fingerprint?.stored());
    killPoint("step-ended");
  }

  /** What a step failed of is told of that step; what is no fault of anybody's but ours ends everything. */
  private async attempt(work: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      const next = error.next === undefined ? "" : `\n${error.next}`;
      return { state: "failed", reason: `${error.message}${next}`, exit: error.exit };
    }
  }

  /** Takes the results of the last complete run over, where a step asks for that and nothing has changed. */
  private unchanged(step: Step, fingerprint: Fingerprint | undefined): Outcome | undefined {
    const { path } = this.directory;
    const folder = join(path, step.name);
    if (step.when !== "changed" || fingerprint === undefined || existsSync(join(folder, "journal.ndjson")))
      return undefined;
    const earlier = lastComplete(dirname(path), path, this.pipeline.name, step.name, fingerprint);
    if (earlier === undefined) return undefined;
    takeOver(earlier.folder, folder);
    return { state: "unchanged", reason: `as in ${dirname(earlier.folder)}` };
  }

  private async end(name: string, told: Told, fingerprint: string | undefined): Promise<void> {
    const { state, seconds, reason } = told;
    this.directory.journal.add({ e: "end", step: name, state, fingerprint, seconds, reason, at: now() });
    await this.directory.journal.flush();
    this.states.set(name, state);
    this.told.set(name, told);
    this.observer.step(this.summaryOf(name));
  }

  private outcome(meant: Set<string>): PipelineState {
    if ([...meant].every((step) => isGood(this.states.get(step)!))) return "complete";
    return this.means.stop.aborted ? "interrupted" : "partial";
  }

  private summaryOf(name: string): StepSummary {
    const kind = this.pipeline.steps.find((step) => step.name === name)!.work.kind;
    return { step: name, kind, ...(this.told.get(name) ?? { state: this.states.get(name)! }) };
  }

  private summary(state: PipelineState): PipelineSummary {
    return {
      name: this.pipeline.name,
      state,
      directory: this.directory.path,
      started: this.directory.past.started ?? new Date(this.began).toISOString(),
      seconds: (Date.now() - this.began) / 1000,
      steps: this.pipeline.steps.map(({ name }) => this.summaryOf(name)),
    };
  }
}

function now(): string {
  return new Date().toISOString();
}
