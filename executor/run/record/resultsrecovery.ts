import { closeSync, openSync, readSync, statSync, truncateSync } from "node:fs";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import type { RunReplay } from "./replay.js";
import { type KeyedLine, readKeyedLines, replaceFile, writeLines } from "./resultlines.js";

/**
 * Removes the lines of `file` (results.ndjson) that were appended but not journaled. Rejects with RESULTS_DAMAGED (65) if committed
 * lines are missing, which means that somebody changed the file.
 */
export async function recoverResults(file: string, replay: RunReplay, job: Job): Promise<void> {
  closeSync(openSync(file, "a"));
  if (statSync(file).size > replay.resultsBytes) {
    if (await isSurplusAtEnd(file, replay, job)) truncateSync(file, replay.resultsBytes);
    else await rewriteCommitted(file, replay, job);
  }
  const { size } = statSync(file);
  if (size === replay.resultsBytes) return;
  const message = `${file} has ${size} bytes, but the journal has ${replay.resultsBytes} committed bytes`;
  throw new MusterError("RESULTS_DAMAGED", message, {
    next: "Restore the file, or start a new run beside this one with --fresh.",
  });
}

/** Whether all surplus lines are at the end of the file, as they are after a crash. */
async function isSurplusAtEnd(file: string, replay: RunReplay, job: Job): Promise<boolean> {
  if (replay.resultsBytes > 0 && byteAt(file, replay.resultsBytes - 1) !== 10) return false;
  for await (const line of readKeyedLines(file, job, replay.resultsBytes)) if (isCommitted(line, replay)) return false;
  return true;
}

/** Keeps only committed lines. Needed if a complete run, whose lines were sorted, lost the end of its journal. */
async function rewriteCommitted(file: string, replay: RunReplay, job: Job): Promise<void> {
  await writeLines(`${file}.kept`, committedLines(file, replay, job));
  replaceFile(`${file}.kept`, file);
}

async function* committedLines(file: string, replay: RunReplay, job: Job): AsyncGenerator<KeyedLine> {
  for await (const line of readKeyedLines(file, job)) if (isCommitted(line, replay)) yield line;
}

function isCommitted({ key }: KeyedLine, replay: RunReplay): boolean {
  return key !== undefined && replay.committedUnits.overlaps(key, key + 1n);
}

function byteAt(file: string, position: number): number {
  const fd = openSync(file, "r");
  try {
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, position);
    return byte[0]!;
  } finally {
    closeSync(fd);
  }
}
