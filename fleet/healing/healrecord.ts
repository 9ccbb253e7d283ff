import { isJsonObject } from "../../schemas/isjsonobject.js";
import type { SickCause } from "./healsettings.js";

/** What healing does to a machine. */
export type HealAction = "reboot" | "power-cycle";

/** How a node is. `away`: it does not answer. `refused`: it answers, but muster cannot use it, and a reboot would not change that. */
export type NodeCondition =
  | { kind: "well" }
  | { kind: "away"; reason: string; sinceMs?: number }
  | { kind: "sick"; reason: string; cause: SickCause; sinceMs?: number }
  | { kind: "refused"; reason: string };

/** One healing of a node. Times are ISO 8601. Without `outcome` it goes on, or the muster that began it was killed. */
export interface Healing {
  at: string;
  action: HealAction;
  /** Why the node was healed: "away: connect: timed out". */
  cause: string;
  outcome?: "healed" | "failed";
  /** Why it failed. */
  why?: string;
  /** How long it took. */
  seconds?: number;
}

/** What is known of a node between two looks at it. Times are ISO 8601. */
export interface NodeRecord {
  /** Since when it is away or sick without a break. `seen`: about when a look last found it so. */
  unwell?: { kind: "away" | "sick"; since: string; seen: string };
  /** The boot id that it last had. */
  boot?: string;
  /** Oldest first. */
  healings: Healing[];
}

/** The records of nodes, by name. */
export type HealRecords = ReadonlyMap<string, NodeRecord>;

export const DAY_MS = 24 * 3600 * 1000;
/** A look is continued by one that follows within this time, or within twice the time that a node must be unwell. */
const MIN_CONTINUED_MS = 2 * 3600 * 1000;
/** How many healings of a node are kept. */
const MAX_KEPT_HEALINGS = 100;
const MAX_TEXT_CHARS = 300;
/** How old the time of the last look may become: writing it down each time would wear out the disk. */
const SEEN_MS = 60_000;
const VERSION = 1;

/** Returns the record of a node after a look at `nowMs` (Unix time) that found it in `condition`. Pure. */
export function recordCondition(
  before: NodeRecord | undefined,
  condition: NodeCondition,
  boot: string | undefined,
  nowMs: number,
  afterSeconds: number,
): NodeRecord {
  const record: NodeRecord = { healings: before?.healings ?? [] };
  const known = boot ?? before?.boot;
  if (known !== undefined) record.boot = known;
  if (condition.kind !== "away" && condition.kind !== "sick") return record;
  const { kind, sinceMs = nowMs } = condition;
  const continuedMs = Math.max(MIN_CONTINUED_MS, 2000 * afterSeconds);
  const last = before?.unwell;
  const isContinued = last?.kind === kind && Math.abs(nowMs - Date.parse(last.seen)) <= continuedMs;
  const since = Math.min(sinceMs, nowMs, isContinued ? Date.parse(last.since) : nowMs);
  const isRecent = isContinued && Math.abs(nowMs - Date.parse(last.seen)) < SEEN_MS;
  const seen = isRecent ? last.seen : new Date(nowMs).toISOString();
  record.unwell = { kind, since: new Date(since).toISOString(), seen };
  return record;
}

/**
 * Returns the record of a node with one more healing, or with the last one replaced where it began at the same time. One that has healed the
 * node ends the time that it was unwell. Pure.
 */
export function recordHealing(before: NodeRecord | undefined, healing: Healing): NodeRecord {
  const others = (before?.healings ?? []).filter(({ at }) => at !== healing.at);
  const { cause, why } = healing;
  const short = { ...healing, cause: shorten(cause), ...(why === undefined ? {} : { why: shorten(why) }) };
  const { unwell, ...rest } = before ?? {};
  const healings = [...others, short].slice(-MAX_KEPT_HEALINGS);
  return unwell === undefined || healing.outcome === "healed" ? { ...rest, healings } : { ...rest, unwell, healings };
}

function shorten(text: string): string {
  return text.slice(0, MAX_TEXT_CHARS);
}

/** Returns the healings of a node that count at `nowMs`: those within 24 hours, on both sides because clocks are set. Pure. */
export function listRecentHealings({ healings }: NodeRecord, nowMs: number): Healing[] {
  return healings.filter(({ at }) => Math.abs(nowMs - Date.parse(at)) < DAY_MS);
}

/** Returns the records as text for `parseHealRecords`. */
export function formatHealRecords(records: HealRecords): string {
  return `${JSON.stringify({ version: VERSION, nodes: Object.fromEntries(records) }, null, 2)}\n`;
}

/** Returns undefined where the text is not what `formatHealRecords` returns. */
export function parseHealRecords(text: string): HealRecords | undefined {
  try {
    const document: unknown = JSON.parse(text);
    if (!isJsonObject(document) || document.version !== VERSION || !isJsonObject(document.nodes)) return undefined;
    const nodes = Object.entries(document.nodes);
    return nodes.every((entry): entry is [string, NodeRecord] => isNodeRecord(entry[1])) ? new Map(nodes) : undefined;
  } catch {
    return undefined;
  }
}

function isNodeRecord(value: unknown): boolean {
  if (!isJsonObject(value)) return false;
  const { unwell, boot, healings } = value;
  if (boot !== undefined && typeof boot !== "string") return false;
  if (unwell !== undefined && !isUnwell(unwell)) return false;
  return Array.isArray(healings) && healings.every(isHealing);
}

function isUnwell(value: unknown): boolean {
  if (!isJsonObject(value)) return false;
  return (value.kind === "away" || value.kind === "sick") && isTime(value.since) && isTime(value.seen);
}

function isHealing(value: unknown): boolean {
  if (!isJsonObject(value)) return false;
  const { at, action, cause, outcome, why, seconds } = value;
  const isText = (one: unknown) => one === undefined || typeof one === "string";
  if (action !== "reboot" && action !== "power-cycle") return false;
  if (outcome !== undefined && outcome !== "healed" && outcome !== "failed") return false;
  return isTime(at) && typeof cause === "string" && isText(why) && (seconds === undefined || Number.isFinite(seconds));
}

function isTime(value: unknown): boolean {
  return typeof value === "string" && !Number.isNaN(Date.parse(value));
}
