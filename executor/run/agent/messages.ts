import { type Done, type FileReport, type FromAgent, type LogReport, PROTOCOL } from "./protocol.js";
import { isAttemptId } from "./signedids.js";

const UNIT = /^\d{1,100}$/;

/** What an agent sent, if it is a message of the protocol in every part; a node may send anything. */
export function parseMessage(text: string): FromAgent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isRecord(value) && isMessage(value) ? (value as unknown as FromAgent) : undefined;
}

function isMessage(value: Record<string, unknown>): boolean {
  switch (value.ev) {
    case "hello":
      return isHello(value);
    case "refused":
      return isText(value.owner);
    case "done":
      return isDone(value as Partial<Done>);
    case "started":
      return isId(value.id);
    case "split":
      return isId(value.id) && isUnit(value.end);
    case "slot":
      return isNumber(value.slot) && (value.holder === undefined || isText(value.holder));
    case "broken":
      return isNumber(value.slot) && isText(value.reason);
    case "cards":
      return Array.isArray(value.sick) && value.sick.every(isSick);
    case "memory":
      return Array.isArray(value.waiting) && value.waiting.every(isNumber);
    case "looked":
      return Array.isArray(value.answers) && value.answers.every(isAnswer);
    case "problem":
      return isText(value.message);
    case "bye":
      return value.left === undefined || isText(value.left);
    case "pong":
      return true;
    default:
      return false;
  }
}

/** An agent of another version holds what this one cannot read; all that is done about it is that it is stopped. */
function isHello({ muster, boot, root, held }: Record<string, unknown>): boolean {
  if (!isNumber(muster) || !isText(boot) || !isText(root) || !Array.isArray(held)) return false;
  return muster !== PROTOCOL || held.every(isHeld);
}

function isDone(done: Partial<Done>): boolean {
  return (
    isId(done.id) &&
    isNumberOrNull(done.exit) &&
    isNumberOrNull(done.signal) &&
    typeof done.timeout === "boolean" &&
    typeof done.canceled === "boolean" &&
    isNumber(done.seconds) &&
    isUnit(done.end) &&
    Array.isArray(done.outputs) &&
    done.outputs.every(isFileReport) &&
    Array.isArray(done.missing) &&
    done.missing.every(isText) &&
    isLogReport(done.stdout) &&
    isLogReport(done.stderr) &&
    isText(done.tail) &&
    (done.error === undefined || done.error === null || isText(done.error))
  );
}

function isFileReport(value: unknown): value is FileReport {
  return isRecord(value) && isText(value.path) && isNumber(value.size) && isText(value.sha256) && isData(value.data);
}

function isLogReport(value: unknown): value is LogReport {
  const { size, cut = 0, data } = isRecord(value) ? value : {};
  return isNumber(size) && isNumber(cut) && isData(data);
}

function isAnswer(value: unknown): boolean {
  if (!isRecord(value) || !isText(value.stdout) || !isText(value.stderr)) return false;
  return isNumberOrNull(value.exit) && (value.error === undefined || isText(value.error));
}

function isSick(value: unknown): boolean {
  return isRecord(value) && isNumber(value.slot) && isText(value.reason) && typeof value.lasting === "boolean";
}

function isHeld(value: unknown): boolean {
  return isRecord(value) && isId(value.id) && isText(value.chunk) && isNumber(value.slot) && isUnit(value.end);
}

function isId(value: unknown): boolean {
  return isText(value) && isAttemptId(value);
}

/** A unit of a range in decimal, where there is one. */
function isUnit(value: unknown): boolean {
  return value === undefined || value === null || (isText(value) && UNIT.test(value));
}

function isData(value: unknown): boolean {
  return value === undefined || isText(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** Sizes, seconds and slots: none is negative. */
function isNumber(value: unknown): boolean {
  return typeof value === "number" && value >= 0;
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || typeof value === "number";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
