import type { StepSummary } from "./pipelinesummary.js";
import type { StepOutcome } from "./stepcontext.js";
import { hasResults } from "./stepstate.js";

/** How many repetitions of a step run at once: enough to keep slots busy at the end of each, and few processes on this machine. */
export const MAX_CONCURRENT_REPETITIONS = 4;
/** The most failed repetitions that a reason lists. */
const MAX_NAMED = 5;

/** Returns the outcome of a step from its repetitions, which have ended unless they were interrupted. Pure. */
export function combineRepetitions(repetitions: StepSummary[]): StepOutcome & { repetitions: StepSummary[] } {
  const failed = repetitions.filter(({ state }) => !hasResults(state));
  const common = { run: sumChunks(repetitions), repetitions };
  if (failed.some(({ state }) => state === "interrupted" || state === "waiting"))
    return { ...common, state: "interrupted", exit: 130 };
  if (failed.length > 0) {
    const exits = new Set(failed.map(({ exit }) => exit ?? 3));
    const exit = exits.size === 1 ? [...exits][0]! : 3;
    return { ...common, state: "failed", exit, reason: explain("have no results", failed, repetitions.length) };
  }
  const incomplete = repetitions.filter(({ state }) => state === "enough");
  if (incomplete.length === 0) return { ...common, state: "complete" };
  return { ...common, state: "enough", exit: 3, reason: explain("are incomplete", incomplete, repetitions.length) };
}

function explain(what: string, some: StepSummary[], total: number): string {
  const lines = some.slice(0, MAX_NAMED).map(({ step, state, reason = state }) => `${step}: ${reason}`);
  const more = some.length > MAX_NAMED ? [`and ${some.length - MAX_NAMED} more`] : [];
  return [`${some.length} of ${total} repetitions ${what}`, ...lines, ...more].join("\n");
}

function sumChunks(repetitions: StepSummary[]): StepOutcome["run"] {
  const runs = repetitions.flatMap(({ run }) => run ?? []);
  if (runs.length === 0) return undefined;
  const chunks = { done: 0, failed: 0 };
  for (const run of runs) {
    chunks.done += run.chunks.done;
    chunks.failed += run.chunks.failed;
  }
  return { chunks, nodes: [], leftovers: [] };
}

/**
 * Does `work` with each item, with at most `limit` at a time, until `isStopped`. Resolves when all that has begun has ended; rejects
 * then with the first error.
 */
export async function runConcurrently<T>(
  items: readonly T[],
  limit: number,
  isStopped: () => boolean,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const drain = async () => {
    for (let item = waiting.shift(); item !== undefined && !isStopped(); item = waiting.shift()) await work(item);
  };
  const ended = await Promise.allSettled(Array.from({ length: limit }, drain));
  const failed = ended.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
