import type { PipelineStep } from "./pipeline.js";
import type { PipelineDirectory } from "./pipelinedirectory.js";
import type { StepSummary } from "./pipelinesummary.js";
import type { PipelineObserver } from "./stepcontext.js";
import type { StepState } from "./stepstate.js";

/** The fields of a step's summary that become known while it runs. Unknown fields are absent. */
export type StepResult = Omit<StepSummary, "step" | "kind">;

/** How far the steps of a run are, and the repetitions of those with `each`. What happens to them is journaled and reported. */
export class StepRecords {
  /** By name. */
  readonly states = new Map<string, StepState>();
  private readonly results = new Map<string, StepResult>();

  constructor(
    private readonly directory: PipelineDirectory,
    private readonly observer: PipelineObserver,
  ) {}

  async begin(step: PipelineStep): Promise<void> {
    await this.append({ e: "begin", step: step.name, at: now() });
  }

  /** Notifies the observer that a step runs. */
  reportRunning(step: PipelineStep): void {
    this.observer.step({ step: step.name, kind: step.action.kind, state: "running" });
  }

  async end(step: PipelineStep, result: StepResult, fingerprint: string | undefined): Promise<void> {
    const { state, seconds, reason } = result;
    await this.append({ e: "end", step: step.name, state, fingerprint, seconds, reason, at: now() });
    this.set(step, result);
    this.observer.step(this.summarize(step));
  }

  /** Sets the result of a step without journaling it. */
  set(step: PipelineStep, result: StepResult): void {
    this.states.set(step.name, result.state);
    this.results.set(step.name, result);
  }

  /** Adds to the result of a step without journaling it. */
  amend(step: PipelineStep, change: Partial<StepResult>): void {
    this.results.set(step.name, { ...this.results.get(step.name)!, ...change });
  }

  summarize({ name, action }: PipelineStep): StepSummary {
    return {
      step: name,
      kind: action.kind,
      ...(this.results.get(name) ?? { state: this.states.get(name) ?? "waiting" }),
    };
  }

  private async append(entry: Parameters<PipelineDirectory["journal"]["add"]>[0]): Promise<void> {
    this.directory.journal.add(entry);
    await this.directory.journal.flush();
  }
}

function now(): string {
  return new Date().toISOString();
}
