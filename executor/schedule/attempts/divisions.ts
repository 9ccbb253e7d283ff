import type { Job } from "../../job/job.js";
import type { Instruction } from "../events.js";
import type { Waiting } from "../queue/waiting.js";
import { mayDivide } from "./tail.js";
import type { Attempts, Underway } from "./underway.js";

/** Chunks whose work is shared: part of it is given away, or two attempts are made of all of it. */
export class Divisions {
  constructor(
    private readonly job: Job,
    private readonly attempts: Attempts,
    private readonly waiting: Waiting,
  ) {}

  /** The first result of a chunk is there: the other attempt of it is not needed any more. */
  supersede({ attempt }: Underway): Instruction[] {
    this.attempts.release(attempt.id);
    return [{ do: "drop", node: attempt.node, id: attempt.id }];
  }

  /** An attempt's chunk ends earlier than it was meant to: the rest of it is for others. */
  split(id: string, end: bigint | undefined, now: number, busy = false): Instruction[] {
    const underway = this.attempts.get(id);
    if (underway === undefined || underway.phase === "collecting" || underway.attempt.chunk.again) return [];
    const { attempt, twin } = underway;
    const { start, end: before } = attempt.chunk;
    if (underway.asked && !busy) underway.divisible = mayDivide(underway, end, now);
    underway.asked = false;
    if (end === undefined || end <= start || end >= before) return [];
    attempt.chunk = this.job.chunk(start, end);
    this.waiting.add({ chunk: this.job.chunk(end, before), history: [], at: now });
    return twin === undefined ? [] : this.supersede(twin);
  }
}
