import { type AgentMessage, PROTOCOL_VERSION } from "./protocol.js";
import { isAttemptId } from "./signedids.js";

/** Characters of a text for people: a reason, an error, the last lines of stderr. */
const PROSE_LENGTH = 2048;
/** Characters of a path, and of a name: a chunk's, a node's boot id, a hash. */
const PATH_LENGTH = 4096;
const NAME_LENGTH = 255;
/** Brackets within brackets: the deepest honest message has four. */
const DEEPEST_NESTING = 8;

const UNIT = /^\d{1,100}$/;
const SHA256 = /^[0-9a-f]{64}$/;

type Check = (value: unknown) => boolean;
type Fields = Record<string, Check>;

const HELD: Fields = {
  id: isId,
  chunk: text(NAME_LENGTH),
  slot: isCount,
  state: optional((value) => value === "queued" || value === "running" || value === "done"),
  end: optional(isUnit),
  agentDied: optional(isBoolean),
};
const LOG: Fields = { size: isAmount, cut: optional(isAmount), data: optional(isText) };
const OUTPUT: Fields = { path: text(PATH_LENGTH), size: isAmount, sha256: matching(SHA256), data: optional(isText) };
const ANSWER: Fields = { exit: isExit, stdout: isText, stderr: isText, error: optional(text(PROSE_LENGTH)) };
const SICK: Fields = { slot: isCount, reason: text(PROSE_LENGTH), lasting: isBoolean };

const HELLO: Fields = {
  muster: isCount,
  boot: text(NAME_LENGTH),
  pid: isCount,
  started: isAmount,
  root: text(PATH_LENGTH),
  held: Array.isArray,
};

/** The fields of every message, by its `ev`. Lengths of what was asked for (results, answers) are limited by LineLimits. */
const MESSAGES: Record<AgentMessage["ev"], Fields> = {
  hello: { ...HELLO, held: listOf(HELD), more: optional(isBoolean) },
  held: { attempts: listOf(HELD), more: isBoolean },
  refused: { owner: text(NAME_LENGTH) },
  done: {
    id: isId,
    chunk: text(NAME_LENGTH),
    slot: isCount,
    exit: isExit,
    signal: isExit,
    timeout: isBoolean,
    canceled: isBoolean,
    lost: optional(isBoolean),
    agentDied: optional(isBoolean),
    seconds: isAmount,
    end: optional(isUnit),
    rss: isAmount,
    outputs: listOf(OUTPUT),
    missing: (value) => Array.isArray(value) && value.every(text(PATH_LENGTH)),
    stdout: object(LOG),
    stderr: object(LOG),
    tail: text(PROSE_LENGTH),
    error: optional(text(PROSE_LENGTH)),
  },
  started: { id: isId },
  split: { id: isId, end: optional(isUnit), busy: optional(isBoolean) },
  slot: { slot: isCount, holder: optional(text(PROSE_LENGTH)), foreign: optional(isBoolean) },
  broken: { slot: isCount, reason: text(PROSE_LENGTH) },
  cards: { sick: listOf(SICK) },
  memory: { waiting: (value) => Array.isArray(value) && value.every(isCount) },
  looked: { answers: listOf(ANSWER) },
  problem: { message: text(PROSE_LENGTH) },
  bye: { left: optional(text(PROSE_LENGTH)) },
  pong: {},
};

/** What an agent sent, if it is a message of the protocol in every part; a node may send anything. */
export function parseMessage(text: string): AgentMessage | undefined {
  if (nestingOf(text) > DEEPEST_NESTING) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || typeof value.ev !== "string" || !Object.hasOwn(MESSAGES, value.ev)) return undefined;
  return fits(value, fieldsOf(value)) ? (value as unknown as AgentMessage) : undefined;
}

/** An agent of another version holds what this one cannot read; all that is done about it is that it is stopped. */
function fieldsOf({ ev, muster }: Record<string, unknown>): Fields {
  return ev === "hello" && muster !== PROTOCOL_VERSION ? HELLO : MESSAGES[ev as AgentMessage["ev"]];
}

function fits(value: Record<string, unknown>, fields: Fields): boolean {
  for (const name in fields) if (!fields[name]!(value[name])) return false;
  return true;
}

/** How many brackets are open at once in a JSON text, at most; brackets in strings do not count. */
function nestingOf(text: string): number {
  let [open, deepest, inString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) inString = !inString;
    else if (code === 0x5c) at++;
    else if (inString) continue;
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++open);
    else if (code === 0x5d || code === 0x7d) open--;
  }
  return deepest;
}

function optional(check: Check): Check {
  return (value) => value === undefined || value === null || check(value);
}

function object(fields: Fields): Check {
  return (value) => isRecord(value) && fits(value, fields);
}

function listOf(fields: Fields): Check {
  return (value) => Array.isArray(value) && value.every((one) => isRecord(one) && fits(one, fields));
}

function text(length: number): Check {
  return (value) => typeof value === "string" && value.length <= length;
}

function matching(pattern: RegExp): Check {
  return (value) => typeof value === "string" && pattern.test(value);
}

function isId(value: unknown): boolean {
  return typeof value === "string" && isAttemptId(value);
}

/** A unit of a range in decimal. */
function isUnit(value: unknown): boolean {
  return typeof value === "string" && UNIT.test(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isBoolean(value: unknown): boolean {
  return typeof value === "boolean";
}

/** Bytes and seconds: none is negative. */
function isAmount(value: unknown): boolean {
  return typeof value === "number" && value >= 0;
}

/** A slot, a process id, a version. */
function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** An exit code or a signal, or null where there is none. */
function isExit(value: unknown): boolean {
  return value === null || Number.isSafeInteger(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
