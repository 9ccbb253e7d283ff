import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type ChunkRecord, countLostLogs, readChunkRecord } from "../executor/run/record/chunkrecord.js";
import { listEarlierLogs } from "../executor/run/record/logfiles.js";
import { hasJournal, readRunStatus } from "../executor/run/record/runstatus.js";
import { quote } from "../fleet/quote.js";
import { pluralize } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { suggest } from "../schemas/suggest.js";

/** Logs that were asked for and are not there. `attempt`: the value of `--try`. */
export interface MissingLogs {
  run: string;
  path: string;
  chunk: string;
  attempt: string | undefined;
}

/**
 * Says why there are no logs of a chunk. Returns 0 where its program printed nothing, or runs and has not handed over what it printed;
 * throws NOT_READ (3) where they are lost, and UsageError (64) where the chunk or the attempt is not known.
 */
export function explainMissingLogs(missing: MissingLogs, writers: Writers): number {
  const { run, path, chunk, attempt } = missing;
  const running = attempt === undefined ? findRunning(missing) : undefined;
  if (running !== undefined) {
    writers.err(running);
    return 0;
  }
  const record = hasJournal(path) ? readChunkRecord(path, chunk) : undefined;
  const known = listLoggedChunks(path);
  const isKnown = known.includes(chunk) || (record !== undefined && (record.isDone || record.lastAttempt > 0));
  if (!isKnown) throw unknownChunkError(missing, known);
  const number = attempt === undefined ? record?.lastAttempt : Number(attempt);
  const lost = record?.lostLogs.get(number ?? 0);
  if (lost !== undefined) throw new MusterError("NOT_READ", `${run}: the output of chunk ${chunk} is lost: ${lost}`);
  const earlier = listEarlierLogs(join(path, "logs"), chunk);
  const others = earlier.length === 0 ? "" : `; earlier attempts: ${earlier.map((one) => `--try ${one}`).join(", ")}`;
  if (attempt !== undefined && Number(attempt) > lastTryOf(earlier, record))
    throw new UsageError(`${run}: chunk ${chunk} has no attempt ${attempt}${others}`);
  const which = attempt === undefined ? `chunk ${chunk}` : `attempt ${attempt} of chunk ${chunk}`;
  const what = attempt === undefined ? "printed nothing" : "printed nothing, or what it printed is not kept";
  writers.err(`${run}: ${which} ${what}${others}`);
  return 0;
}

/** Says where a chunk runs, and how to see what it prints; undefined where it does not run. */
function findRunning({ run, path, chunk }: MissingLogs): string | undefined {
  const live = hasJournal(path) ? readRunStatus(path, Date.now()).live : undefined;
  const slot = live?.slots.find(({ running }) => running?.chunk === chunk);
  if (slot === undefined) return undefined;
  const where = `runs on ${slot.node} slot ${slot.slot}, and its output is collected when it ends`;
  return `${run}: chunk ${chunk} ${where}\n  muster logs ${quote(run)} ${quote(chunk)} -f shows what it prints now`;
}

/** Returns the number of the attempt of a chunk whose output lies in logs/. */
export function findLastTry(path: string, chunk: string): number {
  const record = hasJournal(path) ? readChunkRecord(path, chunk) : undefined;
  return lastTryOf(listEarlierLogs(join(path, "logs"), chunk), record);
}

/** Returns the names of the chunks that have printed something, those with logs of earlier attempts included. */
function listLoggedChunks(path: string): string[] {
  const logs = join(path, "logs");
  const last = readdirSync(logs).filter((name) => /\.(out|err)$/.test(name));
  const earlier = existsSync(join(logs, "attempts")) ? readdirSync(join(logs, "attempts")) : [];
  return [...new Set([...last.map((name) => name.slice(0, -4)), ...earlier])];
}

function lastTryOf(earlier: number[], record: ChunkRecord | undefined): number {
  return Math.max((earlier.at(-1) ?? 0) + 1, record?.lastAttempt ?? 1);
}

function unknownChunkError({ run, path, chunk }: MissingLogs, known: string[]): UsageError {
  const isRunning = hasJournal(path) && readRunStatus(path, Date.now()).state === "running";
  const follow = isRunning ? `muster logs ${quote(run)} ${quote(chunk)} -f shows what a running chunk prints. ` : "";
  if (known.length === 0)
    return new UsageError(`${run}: ${explainNoLogs(path, isRunning)}`, `${follow}muster status ${quote(run)}`);
  const others = `${pluralize(known.length, "chunk")} printed something, for example ${known[0]}.`;
  const running = isRunning ? ", or has not ended yet" : "";
  return new UsageError(
    `${run}: chunk "${chunk}" does not exist or has printed nothing${running}`,
    `${follow}${suggest(chunk, known) ?? others}`,
  );
}

/** Why a run has no logs at all: that no chunk has printed anything is only said where that is known. */
function explainNoLogs(path: string, isRunning: boolean): string {
  if (isRunning) return "there is no output yet: the run continues, and collects the output of a chunk when it ends";
  if (!hasJournal(path)) return "there is no output";
  const { count, reason } = countLostLogs(path);
  if (count > 0) return `there is no output: that of ${pluralize(count, "attempt")} is lost: ${reason}`;
  const { state, leftovers } = readRunStatus(path, Date.now());
  if (state !== "complete" && (state === "interrupted" || leftovers !== undefined))
    return "there is no output here; nodes may have some of attempts that have not been collected";
  return "no chunk has printed anything";
}
