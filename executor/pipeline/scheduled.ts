import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MusterError } from "../../schemas/errors.js";
import { printable } from "../../schemas/printable.js";
import { takeLock } from "../run/record/lock.js";
import { explainDisk } from "../run/results/disk.js";
import { isSame } from "./directory.js";
import { pastOf } from "./past.js";
import type { Overlap, Pipeline } from "./pipeline.js";
import { meantBy, needsOf, type Selection } from "./selection.js";

/** Milliseconds between two tries to get the lock. */
const AGAIN = 1000;

/** A start by cron that may go ahead: alone with its pipeline until `release`. */
export interface Turn {
  /** The run directory: a new one with the time in its name, or that of the last run where that has not come to its end. */
  path: string;
  /** Adds a line to the pipeline's log. */
  log(line: string): void;
  release(): void;
}

/** What a start by cron does where another one of its pipeline runs. `wait`: seconds; undefined = until it ends. */
export interface Patience {
  overlap: Overlap;
  wait: number | undefined;
  stop: AbortSignal;
}

/** Where the scheduled runs of a pipeline lie, with its log and its lock. */
export function runsOf(pipeline: Pipeline): string {
  return join(pipeline.folder, "runs");
}

/** The names of a pipeline's scheduled runs that are there, oldest first. */
export function datedRuns(pipeline: Pipeline): string[] {
  const folder = runsOf(pipeline);
  const dated = (name: string) =>
    name.startsWith(`${pipeline.name}-`) && /^\d{8}T\d{6}Z(-\d+)?$/.test(name.slice(pipeline.name.length + 1));
  return existsSync(folder) ? readdirSync(folder).filter(dated).sort() : [];
}

/**
 * Takes the pipeline's turn; undefined where another run has it and this start is skipped, which its log says. Rejects with a
 * MusterError (HELD, 75) where that is not wanted, or (DISK, 3) where nothing can be written there. Times are in UTC, so an hour that comes twice or never changes nothing.
 */
export async function takeTurn(
  pipeline: Pipeline,
  selection: Selection,
  patience: Patience,
): Promise<Turn | undefined> {
  const folder = runsOf(pipeline);
  const { file, lock } = openLock(folder, pipeline.name);
  const log = (line: string) =>
    appendFileSync(
      join(folder, `${pipeline.name}.log`),
      `${new Date().toISOString()} ${process.pid} ${logged(line)}\n`,
    );
  try {
    if (!(await take(lock, patience))) {
      const holder = readFileSync(file, "utf8").trim() || "another muster";
      if (patience.overlap === "skip") {
        log(`skipped: ${holder} still runs it`);
        closeSync(lock);
        return undefined;
      }
      throw new MusterError("HELD", 75, `${pipeline.name}: ${holder} still runs it`, {
        next: "Schedule it less often, or let it wait (--overlap wait) or be skipped (--overlap skip).",
      });
    }
    writeFileSync(file, `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}\n`);
    return {
      path: join(folder, unfinished(pipeline, selection) ?? freeName(pipeline)),
      log,
      release: () => closeSync(lock),
    };
  } catch (error) {
    closeSync(lock);
    throw error;
  }
}

/** A message as the log holds it: whoever looks at the log looks at it in a terminal. */
function logged(message: string): string {
  return printable(message).replaceAll("\n", "\n    ");
}

function openLock(folder: string, name: string): { file: string; lock: number } {
  const file = join(folder, `${name}.lock`);
  try {
    mkdirSync(folder, { recursive: true });
    return { file, lock: openSync(file, "a+") };
  } catch (error) {
    throw explainDisk(folder, error);
  }
}

async function take(lock: number, { overlap, wait, stop }: Patience): Promise<boolean> {
  const began = performance.now();
  while (!takeLock(lock)) {
    const isOver = wait !== undefined && performance.now() - began > wait * 1000;
    if (overlap !== "wait" || isOver || stop.aborted) return false;
    await sleep(AGAIN);
  }
  return true;
}

/** The last scheduled run, where it was interrupted or killed, is one of the same steps, and was asked for the same ones. */
function unfinished(pipeline: Pipeline, selection: Selection): string | undefined {
  const last = datedRuns(pipeline).at(-1);
  const past = last === undefined ? undefined : pastOf(join(runsOf(pipeline), last));
  if (past?.pipeline === undefined || !isSame(past.pipeline, pipeline)) return undefined;
  const meant = [...meantBy(selection, needsOf(pipeline))];
  if (past.holder !== undefined && past.holder.meant.join() !== meant.join()) return undefined;
  return past.closed === undefined || past.closed === "interrupted" ? last : undefined;
}

function freeName(pipeline: Pipeline): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const name = `${pipeline.name}-${time}`;
  if (!existsSync(join(runsOf(pipeline), name))) return name;
  for (let n = 2; ; n++) if (!existsSync(join(runsOf(pipeline), `${name}-${n}`))) return `${name}-${n}`;
}
