import { join } from "node:path";
import { isPipelineRun } from "../executor/pipeline/anyrunstatus.js";
import { type ChunkExplanation, explainChunk } from "../executor/run/explainchunk.js";
import { type ChunkAttempt, isContinuation } from "../executor/run/record/chunkattempts.js";
import { readRunHistory } from "../executor/run/record/runhistory.js";
import { requireRunDirectory } from "../launch/findrun.js";
import { formatExplanation, type ShownAttempt } from "../report/whytext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { suggest } from "../schemas/suggest.js";
import { readLogTail } from "./logtail.js";
import type { CommonOptions } from "./options.js";
import { findRecordedInventory } from "./recordedinventory.js";

/** Of each attempt. */
const SHOWN_LINES = 5;

/**
 * `muster why RUN CHUNK`: shows everything about one chunk: its attempts, where it runs or waits, and every rule that refuses each slot. It
 * reads only the run directory and the inventory. Returns 0.
 */
export async function why(run: string, chunk: string, options: CommonOptions, writers: Writers): Promise<number> {
  const path = requireRunDirectory(run);
  if (isPipelineRun(path)) throw new UsageError(`${run}: this is a pipeline`, `muster why ${run}/STEP CHUNK`);
  const explanation = await explainChunk(path, chunk, (recorded) => findRecordedInventory(recorded, options.inventory));
  if (explanation === undefined) throw await createUnknownChunkError(path, run, chunk);
  const attempts = explanation.attempts.map((attempt, index) => addLastLines(path, attempt, index, explanation));
  if (options.json) writers.out(formatJson({ ...explanation, attempts }, 2));
  else writers.out(formatExplanation(explanation, attempts, Date.now()));
  return 0;
}

/** The logs of the last attempt that has ended lie in logs/, those of earlier ones in logs/attempts/CHUNK/. */
function addLastLines(
  path: string,
  attempt: ChunkAttempt,
  index: number,
  { attempts }: ChunkExplanation,
): ShownAttempt {
  const { chunk, attempt: number, state } = attempt;
  if (state === "running") return { ...attempt, lines: [] };
  const logs = join(path, "logs");
  const ended = attempts.filter((one) => one.chunk === chunk && one.state !== "running");
  const isLast = ended.every((one) => one.attempt <= number);
  if (isLast && isContinuation(attempts, index)) return { ...attempt, lines: readEnd(join(logs, chunk)) };
  const earlier = readEnd(join(logs, "attempts", chunk, `${number}`));
  return { ...attempt, lines: earlier.length > 0 || !isLast ? earlier : readEnd(join(logs, chunk)) };
}

/** Returns the last lines of stderr, or of stdout where that is empty. */
function readEnd(base: string): string[] {
  const lines = readLogTail(`${base}.err`, SHOWN_LINES);
  return lines.length > 0 ? lines : readLogTail(`${base}.out`, SHOWN_LINES);
}

async function createUnknownChunkError(path: string, run: string, chunk: string): Promise<UsageError> {
  const { executions, failedAttempts, openAttempts } = await readRunHistory(path, Date.now());
  const known = new Set([...openAttempts, ...failedAttempts, ...executions].map((one) => one.chunk));
  return new UsageError(`${run}: chunk "${chunk}" does not exist, or its job cannot be loaded`, suggest(chunk, known));
}
