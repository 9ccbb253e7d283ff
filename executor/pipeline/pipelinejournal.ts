import type { StepState } from "./stepstate.js";

/** What is written down of a run of a pipeline, in the order in which it became true. */
export type PipelineEntry =
  /** First record. `identity`: step -> text that is equal where the step is the same; `steps`: in the order of the file. */
  | { e: "pipeline"; id: string; name: string; file: string; steps: string[]; identity: Record<string, string> }
  /** A coordinator begins; `meant`: the steps that it was asked for. */
  | { e: "open"; session: number; pid: number; host: string; at: string; meant: string[] }
  | { e: "begin"; step: string; at: string }
  /** `fingerprint`: of the step with its inputs, as fingerprint.ts stores it; `seconds`: that it took; `reason`: why it is not complete, or whence it was taken over. */
  | { e: "end"; step: string; state: StepState; fingerprint?: string; seconds?: number; reason?: string; at: string }
  | { e: "close"; state: PipelineState; at: string };

/** How a run of a pipeline ended: `complete`, or with steps that are not (`partial`), or before its end. */
export type PipelineState = "complete" | "partial" | "interrupted" | "broken" | "cancelled";

type StepEndEntry = Extract<PipelineEntry, { e: "end" }>;

/** What a journal says of a pipeline's run, gathered record by record. */
export class PipelineReplay {
  header: Extract<PipelineEntry, { e: "pipeline" }> | undefined;
  lastOpen: Extract<PipelineEntry, { e: "open" }> | undefined;
  startedAt: string | undefined;
  /** Steps under way, and since when. */
  readonly runningSince = new Map<string, string>();
  /** The last that is known of every step that has ended. */
  readonly endedSteps = new Map<string, StepEndEntry>();
  finalState: PipelineState | undefined;
  /** When it was closed. */
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
        break;
      case "end":
        this.runningSince.delete(entry.step);
        this.endedSteps.set(entry.step, entry);
        break;
      case "close":
        this.finalState = entry.state;
        this.closedAt = entry.at;
    }
  }

  /** The session number of the coordinator that comes now. */
  get nextSession(): number {
    return (this.lastOpen?.session ?? 0) + 1;
  }
}
