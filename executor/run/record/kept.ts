import { closeSync, openSync, readSync, statSync, truncateSync } from "node:fs";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import { type Keyed, keyedLines, takePlace, writeLines } from "../results/results.js";
import type { Past } from "./past.js";

/**
 * Makes `file` (results.ndjson) hold exactly what the journal vouches for: lines that were appended and not journaled go. Rejects
 * with RESULTS_DAMAGED (65) where something is missing: somebody has changed it.
 */
export async function keepCommitted(file: string, past: Past, job: Job): Promise<void> {
  closeSync(openSync(file, "a"));
  if (statSync(file).size > past.length) {
    if (await isBehind(file, past, job)) truncateSync(file, past.length);
    else await rewrite(file, past, job);
  }
  const { size } = statSync(file);
  if (size === past.length) return;
  const message = `${file}: ${size} bytes of what is committed are there; the journal says that there were ${past.length}`;
  throw new MusterError("RESULTS_DAMAGED", 65, message, {
    next: "Put back what was there, or start anew beside this run directory with --fresh.",
  });
}

/** Whether what is too much stands at the end, as after a crash: then all that is committed stands before it. */
async function isBehind(file: string, past: Past, job: Job): Promise<boolean> {
  if (past.length > 0 && byteAt(file, past.length - 1) !== 10) return false;
  for await (const line of keyedLines(file, job, past.length)) if (isCommitted(line, past)) return false;
  return true;
}

/** It need not: a run that was complete has had its lines put into order before it lost the end of its journal. */
async function rewrite(file: string, past: Past, job: Job): Promise<void> {
  await writeLines(`${file}.kept`, committedLines(file, past, job));
  takePlace(`${file}.kept`, file);
}

async function* committedLines(file: string, past: Past, job: Job): AsyncGenerator<Keyed> {
  for await (const line of keyedLines(file, job)) if (isCommitted(line, past)) yield line;
}

function isCommitted({ key }: Keyed, past: Past): boolean {
  return key !== undefined && past.done.overlaps(key, key + 1n);
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
