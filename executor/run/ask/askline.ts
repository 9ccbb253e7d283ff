import { isJsonObject } from "../../../schemas/isjsonobject.js";
import type { Job } from "../../job/job.js";
import type { Failure } from "../../schedule/events.js";
import type { ReportedValue } from "../agent/protocol.js";
import { formatParams } from "../node/attemptspec.js";

/** What an `ask` program has said on one line. */
export type AskAnswer =
  /** A task for the queue of its run. */
  | { kind: "task"; id: string; text: string }
  | { kind: "stop"; id: string }
  | { kind: "done" }
  /** It is none of these. */
  | { kind: "unknown"; why: string };

/** The longest line of an `ask` program. */
export const MAX_LINE_BYTES = 1 << 20;
/** How much of a line a message shows. */
const SHOWN_CHARS = 60;

/** Reads a line of an `ask` program. */
export function parseAnswer(text: string): AskAnswer {
  if (text.length > MAX_LINE_BYTES) return { kind: "unknown", why: "is longer than 1 MiB" };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: "unknown", why: "is not JSON" };
  }
  if (!isJsonObject(value)) return { kind: "unknown", why: "is no JSON object" };
  if (typeof value.id === "string") return { kind: "task", id: value.id, text };
  const keys = Object.keys(value);
  if (keys.length === 1 && typeof value.stop === "string") return { kind: "stop", id: value.stop };
  if (keys.length === 1 && value.done === true) return { kind: "done" };
  return { kind: "unknown", why: 'is neither a task with an id, nor {"stop": "ID"}, nor {"done": true}' };
}

/** Returns the beginning of a line, for a message. */
export function showLine(text: string): string {
  return JSON.stringify(text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}...` : text);
}

/** Returns the line about a task that the queue of the run has. */
export function formatTask(id: string, params: Job["params"]): string {
  return `{"task": {"id": ${JSON.stringify(id)}, "params": ${formatParams(params)}}}`;
}

/**
 * Returns the line about a result. `line`: of results.ndjson; `paramsOf`: returns those of a chunk; its output is copied as it is, so that
 * integers of any size stay exact.
 */
export function formatResult(line: string, paramsOf: (chunk: string) => Job["params"]): string {
  const at = line.indexOf(',"output":');
  const head = JSON.parse(`${line.slice(0, at)}}`) as {
    chunk: string;
    node: string;
    seconds: number;
    values?: readonly ReportedValue[];
    stopped?: true;
  };
  const output = line.slice(at + ',"output":'.length, line.lastIndexOf("}"));
  const parts = [
    `"id": ${JSON.stringify(head.chunk)}`,
    `"params": ${formatParams(paramsOf(head.chunk))}`,
    `"output": ${output}`,
    `"seconds": ${head.seconds}`,
    `"node": ${JSON.stringify(head.node)}`,
    ...(head.stopped ? ['"stopped": true'] : []),
    ...(head.values === undefined ? [] : [`"values": ${JSON.stringify(head.values)}`]),
  ];
  return `{${parts.join(", ")}}`;
}

/** Returns the line about a chunk that failed. */
export function formatFailure({ chunk, node, reason }: Failure, params: Job["params"]): string {
  const parts = [
    `"id": ${JSON.stringify(chunk)}`,
    `"params": ${formatParams(params)}`,
    `"failure": ${JSON.stringify(reason)}`,
    `"node": ${JSON.stringify(node)}`,
  ];
  return `{${parts.join(", ")}}`;
}

/** Returns the line about a task that was cancelled. */
export function formatCancelled(id: string, params: Job["params"]): string {
  return `{"id": ${JSON.stringify(id)}, "params": ${formatParams(params)}, "cancelled": true}`;
}

/** Returns the line about an intermediate value. */
export function formatValue(id: string, [step, value]: ReportedValue): string {
  return JSON.stringify({ id, step, value });
}

/** Returns the line that asks for `count` tasks. */
export function formatWant(count: number): string {
  return JSON.stringify({ want: count });
}

/** Returns the line about a task or a stop that is refused. */
export function formatRefusal(id: string, reason: string): string {
  return JSON.stringify({ refused: id, reason });
}
