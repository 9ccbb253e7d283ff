import type { Random } from "./random.js";

/** What one item of a job does wrong: each time (`always`), or the first time on each node (`once`). */
export interface ChunkFault {
  item: number;
  /** `kills-python`: everything on its node that is named python3, other chunks and the agent among it. */
  what: "kills-agent" | "kills-python" | "fails";
  times: "once" | "always";
}

/** A job of `items` items, which are its chunks but in a range. */
export interface JobPlan {
  kind: "range" | "tasks" | "matrix" | "jobs-file" | "queue";
  /** Of a range: its first unit; may be beyond 2^53. */
  first: string;
  items: number;
  /** Of a range: items of a chunk, or the bounds of that. */
  chunk: number | { base: number; min: number; max: number };
  secondsPerItem: number;
  /** Whether a worker takes chunk after chunk. */
  isWarm: boolean;
  /** Of a queue: in how many batches its tasks are added. */
  batches: number;
  /** Bytes of an item's result. */
  sizeBytes: number;
  collect: "files" | "lines";
  /** Per cent of the chunks that are computed again elsewhere. */
  recheck: number | undefined;
  /** Executions of a chunk that may fail. */
  attempts: number;
  chunkFault: ChunkFault | undefined;
}

/** What decides over a job beside the seed. `isFed`: it passes on an aggregate, or takes one. */
export interface JobConstraints {
  slots: number;
  attempts: number;
  isFed: boolean;
  /** Whether it may be a queue: its run directory stays where it is. */
  canBeQueue: boolean;
  chunkFault: Omit<ChunkFault, "item"> | undefined;
}

/** The most that a job's results take together. */
const MAX_JOB_BYTES = 20_000_000;
const MAX_FED_JOB_BYTES = 2_000_000;

/** Draws a job that keeps so many slots busy for some seconds. */
export function drawJob(random: Random, { slots, attempts, isFed, canBeQueue, chunkFault }: JobConstraints): JobPlan {
  const kinds = isFed ? (["range", "matrix"] as const) : (["range", "tasks", "matrix", "jobs-file", "queue"] as const);
  const drawn = random.pick(kinds);
  const kind = drawn === "queue" && !canBeQueue ? "tasks" : drawn;
  const chunkSeconds = random.magnitude(0.01, 0.5);
  const chunks = Math.min(90, Math.max(6, Math.round((random.real(1.5, 4) * slots) / chunkSeconds)));
  const per = kind === "range" ? random.integer(4, 20) : 1;
  const chunkBytes = Math.min(drawSize(random), (isFed ? MAX_FED_JOB_BYTES : MAX_JOB_BYTES) / chunks);
  const items = chunks * per;
  return {
    kind,
    first: kind === "range" ? random.pick(["0", "1000", "9007199254740993", "18446744073709551000"]) : "0",
    items,
    chunk: random.chance(0.3) ? per : { base: per, min: Math.ceil(per / 2), max: per * 4 },
    secondsPerItem: chunkSeconds / per,
    isWarm: kind !== "jobs-file" && random.chance(0.35),
    batches: random.integer(1, 5),
    sizeBytes: Math.max(12, Math.round(chunkBytes / per)),
    collect: kind !== "jobs-file" && chunkBytes < 20_000 && random.chance(0.4) ? "lines" : "files",
    recheck: random.chance(0.2) ? random.pick([5, 30]) : undefined,
    attempts,
    chunkFault: chunkFault && { ...chunkFault, item: random.integer(0, items - 1) },
  };
}

/** Up to 16 KiB a result comes along with the agent's message; above that it is pulled. */
function drawSize(random: Random): number {
  const kind = random.real(0, 1);
  if (kind < 0.5) return Math.round(random.magnitude(66, 15_000));
  return Math.round(kind < 0.9 ? random.magnitude(17_000, 200_000) : random.magnitude(300_000, 1_500_000));
}
