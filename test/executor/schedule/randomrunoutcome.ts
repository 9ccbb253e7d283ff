import type { Instruction } from "../../../executor/schedule/events.js";

/** The outcome of a run: how often each unit was committed or given up, and the instructions on the way. */
export class RandomRunOutcome {
  readonly covered = new Map<bigint, number>();
  readonly counts = new Map<Instruction["do"], number>();
  copies = 0;
  /** Results of pieces that were held, and those of them that were committed. */
  holds = 0;
  released = 0;
  /** Attempts that still ran when a result of their chunk was committed, and give-ups without a reason. */
  late = 0;
  mute = 0;
  /** Agent deaths by poison unit, and chunks without one that were given up for agent deaths. */
  readonly deaths = new Map<bigint, number>();
  bystanders = 0;

  cover(start: bigint, end: bigint): void {
    for (let unit = start; unit < end; unit++) this.covered.set(unit, (this.covered.get(unit) ?? 0) + 1);
  }

  count(what: Instruction["do"]): number {
    return this.counts.get(what) ?? 0;
  }
}
