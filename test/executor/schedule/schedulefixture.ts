import { benchSpec, createBenchJob } from "../../../bench/schedule/benchjob.js";
import { parseRangeId } from "../../../executor/job/chunkids.js";
import type { Chunk, Job } from "../../../executor/job/job.js";
import type { Attempt, Event, Failure, Instruction, Slot } from "../../../executor/schedule/events.js";
import type { Scheduler } from "../../../executor/schedule/scheduler.js";

/** Creates a range of `units` units, in chunks of about 10. */
export function rangeJob(units: bigint, change: Partial<Job> = {}): Job {
  const job = createBenchJob(units, { by: "rate", base: 10, min: 5, max: 50 });
  return { ...job, unitsOf: parseRangeId, halt: { alike: 0 }, ...change };
}

/** Creates a job of tasks with the ids t0, t1, ... */
export function taskJob(tasks: Partial<Chunk>[], change: Partial<Job> = {}): Job {
  const chunk = (start: bigint, end: bigint): Chunk => ({
    id: `t${start}`,
    start,
    end,
    spec: benchSpec,
    ...tasks[Number(start)],
  });
  const unitsOf = (id: string): [bigint, bigint] => [BigInt(id.slice(1)), BigInt(id.slice(1)) + 1n];
  return rangeJob(BigInt(tasks.length), { kind: "tasks", sizing: undefined, chunk, unitsOf, ...change });
}

/** Returns the spec of a task that runs this program, with an input of `bytes`. */
export function runs(program: string, bytes?: number): Pick<Chunk, "spec"> {
  const inputs = bytes === undefined ? [] : [{ source: "/in", path: "in", bytes }];
  return { spec: { ...benchSpec, program: { kind: "command", command: [program] }, inputs } };
}

/** Chunks of one unit. */
export const singleUnits = { sizing: { by: "rate", base: 1, min: 1, max: 1 } } as const;

export function slots(node: string, count: number, rate?: number): Slot[] {
  return Array.from({ length: count }, (_, slot) => ({ node, slot, gpu: slot, rate }));
}

export const startedAttempts = (out: Instruction[]) => out.flatMap((one) => (one.do === "start" ? [one.attempt] : []));

export function failureOf(attempt: Attempt): Failure {
  const { chunk, node, slot, number } = attempt;
  const how = { exit: 1, signal: null, reason: "exit code 1", stderr: "" };
  return { chunk: chunk.id, node, slot, attempt: number, ...how };
}

/** Opens a run on nodes with these numbers of GPUs. Returns the started attempts. */
export function openRun(scheduler: Scheduler, nodes: [string, number, number?][], now = 0): Attempt[] {
  const out = scheduler.handle({ type: "dispatchOpened" }, now);
  for (const [node, count, rate] of nodes) {
    const place = { node, slots: slots(node, count, rate), limit: count, held: [] };
    out.push(...scheduler.handle({ type: "nodeJoined", ...place }, now));
  }
  out.push(...scheduler.handle({ type: "allJoined" }, now));
  return startedAttempts(out);
}

/** A drain of a node that begins, with or without ending what runs there, or that ends. */
export function drained(node: string, now: number): Event {
  return { type: "nodeDrained", node, reason: now % 3 === 0 ? undefined : "drained", evict: now % 3 === 1 };
}

/** A GPU of node b is sick. */
export function sick(slot: number, lasting: boolean): Event {
  return { type: "slotSick", node: "b", slot, reason: "no clocks", evict: false, lasting };
}

/** Whether the chunk of an attempt shares a unit with another one. */
export function overlap({ chunk }: Attempt, other: Attempt["chunk"]): boolean {
  return chunk.start < other.end && other.start < chunk.end;
}

/** Returns the unit that halves the chunk of an attempt; undefined = it has one only. */
export function middleUnit({ chunk }: Pick<Attempt, "chunk">): bigint | undefined {
  return chunk.end - chunk.start < 2n ? undefined : (chunk.start + chunk.end) / 2n;
}
