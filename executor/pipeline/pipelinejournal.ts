import type { StepState } from "./stepstate.js";

/** The records of a pipeline's journal. */
export type PipelineEntry =
  /** The first record. `identity` maps each step to a text that is equal for an unchanged step; `steps` are in the order of the file. */
  | { e: "pipeline"; id: string; name: string; file: string; steps: string[]; identity: Record<string, string> }
  /** A coordinator starts. `meant`: the selected steps. */
  | { e: "open"; session: number; pid: number; host: string; at: string; meant: string[] }
  /** In entries, `step` is also the name of a repetition: `STEP/FOLDER`. */
  | { e: "begin"; step: string; at: string }
  /** `fingerprint` is what StepFingerprint stores; `reason` says why the step is not complete, or which run its results are from. */
  | { e: "end"; step: string; state: StepState; fingerprint?: string; seconds?: number; reason?: string; at: string }
  | { e: "close"; state: PipelineState; at: string };

/** How a run of a pipeline ended. `partial`: some of the selected steps are not complete. */
export type PipelineState = "complete" | "partial" | "interrupted" | "broken" | "cancelled";

type StepEndEntry = Extract<PipelineEntry, { e: "end" }>;

/** The state of a pipeline's run, rebuilt by applying the records of its journal in order. */
export class PipelineReplay {
  header: Extract<PipelineEntry, { e: "pipeline" }> | undefined;
  lastOpen: Extract<PipelineEntry, { e: "open" }> | undefined;
  startedAt: string | undefined;
  /** The running steps, with their start times. */
  readonly runningSince = new Map<string, string>();
  /** The last end record of each step. */
  readonly endedSteps = new Map<string, StepEndEntry>();
  /** Every step and repetition that has ever begun. */
  private readonly begunSteps = new Set<string>();
  finalState: PipelineState | undefined;
  closedAt: string | undefined;

  apply(entry: PipelineEntry): void {
    switch (entry.e) {
      case "pipeline":
        this.header = entry;
        break;
      case "open":
        this.lastOpen = entry;
        this.startedAt ??= entry.at;
        this.finalState = undefined;
        this.runningSince.clear();
        break;
      case "begin":
        this.runningSince.set(entry.step, entry.at);
        this.begunSteps.add(entry.step);
        break;
      case "end":
        this.runningSince.delete(entry.step);
        this.endedSteps.set(entry.step, entry);
        break;
      case "close":
        this.finalState = entry.state;
        this.closedAt = entry.at;
        break;
      default:
        entry satisfies never;
    }
  }

  /** Returns the steps in the order of the file, each followed by those of its repetitions that have begun, as `STEP/FOLDER`. */
  listStepsAndRepetitions(): string[] {
    return (this.header?.steps ?? []).flatMap((step) => [
      step,
      ...[...this.begunSteps].filter((name) => name.startsWith(`${step}/`)),
    ]);
  }

  /** The number of the session that starts now. */
  get nextSession(): number {
    return (this.lastOpen?.session ?? 0) + 1;
  }
}
