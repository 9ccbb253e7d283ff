import type { Connection } from "../../../fleet/connection.js";
import { MusterError } from "../../../schemas/errors.js";
import { cacheProgram, type NodeProgram } from "../../../templates/nodeprograms.js";

/** How long a node may take to list or prune its cache. */
const TIMEOUT_SECONDS = 120;

/** What `muster cache` does: shows a cache, brings it within its budget, or empties it. */
export type CacheAction = "show" | "prune" | "prune-all";

/** A file of the cache, or the result of a build. `age`: seconds since a run used it last; `used`: whether one uses it now. */
export interface CacheEntry {
  kind: "contents" | "builds";
  name: string;
  bytes: number;
  age: number;
  used: boolean;
}

interface EntryTotal {
  count: number;
  bytes: number;
}

/** The cache of a node. Sizes are bytes, ages seconds. `limit`: its budget, or 0 after `prune-all`. */
export interface CacheReport {
  folder: string;
  /** How many entries there are; `entries` has those that were used last. */
  count: number;
  entries: CacheEntry[];
  limit?: number;
  contents?: EntryTotal;
  builds?: EntryTotal;
  /** Of what runs use now. */
  usedBytes?: number;
  /** Of the entry that was used longest ago. */
  oldest?: number;
  removed?: number;
  removedBytes?: number;
  /** Why the cache is not used. */
  problem?: string;
}

/** Shows or prunes the cache of a node, and returns what is there then. Rejects with FILE, LOST or TIMEOUT where that fails. */
export async function inspectCache(
  connection: Connection,
  agent: NodeProgram,
  action: CacheAction,
): Promise<CacheReport> {
  const { node } = connection;
  const { args, stdin } = cacheProgram(agent);
  const budget = action === "prune-all" ? "0" : `${node.cacheBytes ?? "default"}`;
  const words = [node.workdir, action === "show" ? "show" : "prune", budget];
  const outcome = await connection.exec([node.python, ...args, ...words], { stdin, timeout: TIMEOUT_SECONDS });
  if (outcome.kind === "lost") throw new MusterError("LOST", outcome.reason, { node: node.name });
  if (outcome.kind === "timeout")
    throw new MusterError("TIMEOUT", `the cache was not listed within ${outcome.seconds} s`, { node: node.name });
  const report = parseCacheReport(outcome.stdout);
  if (report !== undefined) return report;
  const message = outcome.stderr.trim().split("\n").at(-1) || "no report came";
  throw new MusterError("FILE", `the cache cannot be read: ${message}`, {
    node: node.name,
    next: "Run `muster doctor` for this node.",
  });
}

/** Returns the report in a node's output, to which a shell's start-up file may add lines; undefined where there is none. */
function parseCacheReport(output: string): CacheReport | undefined {
  const line = output.split("\n").findLast((one) => one.startsWith('{"muster_cache": '));
  if (line === undefined) return undefined;
  try {
    const report = JSON.parse(line).muster_cache;
    return isCacheReport(report) ? report : undefined;
  } catch {
    return undefined;
  }
}

function isCacheReport(value: Record<string, unknown>): value is CacheReport & Record<string, unknown> {
  const numbers = ["limit", "usedBytes", "oldest", "removed", "removedBytes"].map((key) => value[key]);
  return (
    typeof value.folder === "string" &&
    isCount(value.count) &&
    (value.problem === undefined || typeof value.problem === "string") &&
    numbers.every((number) => number === undefined || isCount(number)) &&
    [value.contents, value.builds].every((total) => total === undefined || isTotal(total as Record<string, unknown>)) &&
    Array.isArray(value.entries) &&
    value.entries.every(isCacheEntry)
  );
}

function isTotal({ count, bytes }: Record<string, unknown>): boolean {
  return isCount(count) && isCount(bytes);
}

function isCacheEntry({ kind, name, bytes, age, used }: Record<string, unknown>): boolean {
  return (
    (kind === "contents" || kind === "builds") &&
    typeof name === "string" &&
    isCount(bytes) &&
    isCount(age) &&
    typeof used === "boolean"
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
