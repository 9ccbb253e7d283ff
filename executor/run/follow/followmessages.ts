import { isJsonObject } from "../../../schemas/isjsonobject.js";
import { findIdFault } from "../../job/chunkids.js";
import { isAttemptId } from "../agent/signedids.js";
import { LOG_STREAMS, type LogStream } from "../record/logfiles.js";

/** How an attempt ended. `fault`: why it failed although its program ended. */
export interface AttemptEnd {
  exit: number | null;
  signal: number | null;
  timeout: boolean;
  cancelled: boolean;
  fault?: string;
}

/** What templates/muster_agent/following/follow.py sends. */
export type FollowMessage =
  /** All attempts that are followed. This is the first message, and comes again where they change. */
  | { ev: "following"; ids: string[] }
  | { ev: "begin"; id: string; chunk: string; slot: number }
  /** `next`: the offset in the log after these bytes. */
  | { ev: "log"; id: string; stream: LogStream; next: number; bytes: Buffer }
  /** This many bytes of the log were dropped before they were read; null = their number is not known. */
  | { ev: "dropped"; id: string; stream: LogStream; bytes: number | null }
  /** The attempt has ended. `whole`: all that it has printed was sent. `outcome`: undefined where its result is not known there. */
  | { ev: "end"; id: string; whole: boolean; outcome: AttemptEnd | undefined };

/** Returns the message on a line; undefined where it is none. A node may send anything. */
export function parseFollowMessage(line: string): FollowMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { ev, id } = value;
  if (ev === "following") {
    const { ids } = value;
    return Array.isArray(ids) && ids.every(isId) ? { ev, ids } : undefined;
  }
  if (!isId(id)) return undefined;
  if (ev === "begin") return parseBegin(id, value);
  if (ev === "end") return parseEnd(id, value);
  const { stream, next, data, bytes } = value;
  if (!isStream(stream)) return undefined;
  if (ev === "dropped" && (bytes === null || isCount(bytes))) return { ev, id, stream, bytes };
  if (ev !== "log" || !isCount(next) || typeof data !== "string") return undefined;
  return { ev, id, stream, next, bytes: Buffer.from(data, "base64") };
}

function parseBegin(id: string, { chunk, slot }: Record<string, unknown>): FollowMessage | undefined {
  if (typeof chunk !== "string" || findIdFault(chunk) !== undefined || !isCount(slot)) return undefined;
  return { ev: "begin", id, chunk, slot };
}

function parseEnd(id: string, value: Record<string, unknown>): FollowMessage | undefined {
  const { whole, exit, signal, timeout, cancelled, fault } = value;
  if (typeof whole !== "boolean") return undefined;
  if (!("exit" in value)) return { ev: "end", id, whole, outcome: undefined };
  const isStatus = (one: unknown): one is number | null => one === null || isCount(one);
  if (!isStatus(exit) || !isStatus(signal) || typeof timeout !== "boolean" || typeof cancelled !== "boolean")
    return undefined;
  if (fault !== undefined && typeof fault !== "string") return undefined;
  const outcome = { exit, signal, timeout, cancelled, ...(fault === undefined ? {} : { fault }) };
  return { ev: "end", id, whole, outcome };
}

function isId(value: unknown): value is string {
  return typeof value === "string" && isAttemptId(value);
}

function isStream(value: unknown): value is LogStream {
  return LOG_STREAMS.some((stream) => stream === value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
