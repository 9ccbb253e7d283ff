import type { Chunk, Job } from "../../job/job.js";
import type { Instruction } from "../events.js";
import type { EndingSlots } from "../slots/endingslots.js";
import type { AttemptHistory } from "../slots/quarantine.js";
import type { SlotState } from "../slots/slotstate.js";
import type { IssueAttemptId } from "./attemptids.js";
import { placeAttempt } from "./attemptplace.js";
import type { InFlightAttempt, InFlightAttempts } from "./inflight.js";
import type { Recomputations } from "./recomputations.js";
import type { StragglerPolicy } from "./stragglers.js";

/** A chunk, its earlier attempts, and the slots that it goes to. */
export interface PlacedChunk {
  chunk: Chunk;
  history: AttemptHistory;
  /** Slots of one node, in the order of their numbers: as many as the chunk needs. */
  slots: readonly SlotState[];
  /** Whether no other chunk may run on that node meanwhile. */
  isExclusive: boolean;
  /** The longest that an attempt at it has run on a node that then ended, in seconds. */
  longestRunSeconds?: number;
}

/** Starts attempts of chunks: those that were placed, and what idle slots compute a second time at the end of a run. */
export class AttemptStarter {
  constructor(
    private readonly issueId: IssueAttemptId,
    private readonly attempts: InFlightAttempts,
    private readonly stragglers: StragglerPolicy,
    private readonly recomputations: Recomputations,
    private readonly job: Pick<Job, "chunk">,
    private readonly endingSlots: EndingSlots,
  ) {}

  start(placed: PlacedChunk, now: number, out: Instruction[]): InFlightAttempt {
    const { chunk, history, slots, isExclusive, longestRunSeconds } = placed;
    const place = placeAttempt(slots);
    const attempt = { id: this.issueId(place.node, chunk), number: history.length + 1, chunk, ...place };
    out.push({ do: "start", attempt });
    const added = { attempt, slots, history, phase: "queued", since: now, isExclusive, longestRunSeconds } as const;
    const inFlight = this.attempts.add(added);
    this.endingSlots.closeFull(slots, now);
    return inFlight;
  }

  /** Gives idle slots a part, or a copy, of what others still run. */
  helpStragglers(now: number, out: Instruction[]): void {
    const { instructions, copies, recomputations } = this.stragglers.findWork(now);
    out.push(...instructions);
    for (const { original, slot } of copies) {
      const { attempt, history } = original;
      original.speculativeCopy = this.start(
        { chunk: attempt.chunk, history, slots: [slot], isExclusive: false },
        now,
        out,
      );
      original.speculativeCopy.speculativeCopy = original;
    }
    for (const { original, pieces } of recomputations) {
      const started = pieces.map(({ slot, start, end }) =>
        this.start({ chunk: this.job.chunk(start, end), history: [], slots: [slot], isExclusive: false }, now, out),
      );
      this.recomputations.start(original, started);
    }
  }
}
