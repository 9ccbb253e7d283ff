import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { InvalidFileError, MusterError } from "../schemas/errors.js";
import { writeFileAtomic } from "../schemas/filewrites.js";
import { isJsonObject } from "../schemas/isjsonobject.js";
import { formatLocalTime } from "../schemas/localtime.js";
import { tryLockFile } from "./filelock.js";

const VERSION = 1;
const LOCK_TIMEOUT_MS = 10_000;

/** A node gets no new chunks. Times are ISO 8601. */
export interface Drain {
  reason?: string;
  since: string;
  /** When it ends by itself; absent = never. */
  until?: string;
  /** Healing has drained it, and ends that when it is well again. */
  healing?: true;
  /** A provision has drained it, and ends that after its change. */
  provision?: true;
  /** Whether chunks that run are ended, too. */
  now?: true;
}

/** The drains that were asked for, by the name of the node. */
export type Drains = ReadonlyMap<string, Drain>;

/** Returns the path of the drains beside an inventory file; undefined if there is no such file. */
export function drainsFilePath(inventory: string | undefined): string | undefined {
  return inventory === undefined ? undefined : join(dirname(inventory), ".muster-drain.json");
}

/** Reads the drains that are in effect at `nowMs` (Unix time). Throws InvalidFile for a file that is none of drains. */
export function readDrains(file: string | undefined, nowMs: number): Drains {
  if (file === undefined || statSync(file, { throwIfNoEntry: false }) === undefined) return new Map();
  const nodes = parseDrains(readFileSync(file, "utf8"));
  if (nodes === undefined)
    throw new InvalidFileError([
      { file, message: "does not hold drains", hint: "remove it, and drain the nodes again: muster drain NODE" },
    ]);
  return new Map([...nodes].filter(([, drain]) => isInEffect(drain, nowMs)));
}

/** Replaces the file of drains atomically. */
export function writeDrains(file: string, drains: Drains): void {
  const document = { version: VERSION, nodes: Object.fromEntries(drains) };
  writeFileAtomic(file, `${JSON.stringify(document, null, 2)}\n`);
}

/**
 * Changes the drains of the inventory file `inventory`, one process at a time, and returns them. The lock is that of the inventory. Rejects
 * with HELD (75) where another program keeps it, and with InvalidFile as `readDrains` does.
 */
export async function changeDrains(
  inventory: string,
  nowMs: number,
  change: (before: Drains) => Drains,
): Promise<Drains> {
  const file = drainsFilePath(inventory)!;
  const fd = openSync(inventory, "r");
  try {
    for (const deadline = performance.now() + LOCK_TIMEOUT_MS; !tryLockFile(fd); await sleep(50))
      if (performance.now() > deadline)
        throw new MusterError("HELD", `${inventory} is locked by another program`, { next: "Try again." });
    const drains = change(readDrains(file, nowMs));
    writeDrains(file, drains);
    return drains;
  } finally {
    closeSync(fd);
  }
}

/** Returns a drain as text: "drained until 2026-12-01 18:00 (new fans)". */
export function describeDrain({ reason, until }: Drain): string {
  const end = until === undefined ? "" : ` until ${formatLocalTime(new Date(until))}`;
  return `drained${end}${reason === undefined ? "" : ` (${reason})`}`;
}

function isInEffect({ until }: Drain, nowMs: number): boolean {
  return until === undefined || Date.parse(until) > nowMs;
}

/** Returns undefined where the text is not what `writeDrains` writes. */
function parseDrains(text: string): Drains | undefined {
  try {
    const document: unknown = JSON.parse(text);
    if (!isJsonObject(document) || document.version !== VERSION || !isJsonObject(document.nodes)) return undefined;
    const nodes = Object.entries(document.nodes);
    return nodes.every((entry): entry is [string, Drain] => isDrain(entry[1])) ? new Map(nodes) : undefined;
  } catch {
    return undefined;
  }
}

function isDrain(value: unknown): value is Drain {
  if (!isJsonObject(value)) return false;
  const { reason, since, until, healing, provision, now } = value;
  const isTime = (time: unknown) => typeof time === "string" && !Number.isNaN(Date.parse(time));
  if (reason !== undefined && typeof reason !== "string") return false;
  if ([healing, provision].some((flag) => flag !== undefined && flag !== true)) return false;
  return isTime(since) && (until === undefined || isTime(until)) && (now === undefined || now === true);
}
