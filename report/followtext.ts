import type { FollowEvent } from "../executor/run/follow/followevent.js";
import type { AttemptEnd } from "../executor/run/follow/followmessages.js";
import { formatBytes, toOneLine, toPrintableText } from "./format.js";

/** Returns a line about what happens to a chunk or node whose output is followed; undefined for the output itself. */
export function formatFollowEvent(event: Exclude<FollowEvent, { type: "output" }>): string {
  return toPrintableText([toOneLine(describe(event))]);
}

function describe(event: Exclude<FollowEvent, { type: "output" }>): string {
  switch (event.type) {
    case "started":
      return `chunk ${event.chunk}: runs on ${event.node} slot ${event.slot}`;
    case "ended":
      return `chunk ${event.chunk}: ${describeOutcome(event.outcome)} on ${event.node} slot ${event.slot}`;
    case "copy":
      return `chunk ${event.chunk}: a copy runs on ${event.node} slot ${event.slot}; its output is not shown`;
    case "dropped":
      return `chunk ${event.chunk}: the log limit dropped ${describeAmount(event.bytes)} of its std${event.stream} here`;
    case "collected":
      return `chunk ${event.chunk}: collected; ${event.isRest ? "the rest of its output" : "its output"} follows`;
    case "failed":
      return `chunk ${event.chunk}: attempt ${event.attempt} failed on ${event.node} slot ${event.slot}: ${event.reason} (add --try ${event.attempt} to show its output)`;
    case "nodeLost":
      return `${event.node}: ${event.reason}${event.isRetried ? "; trying again" : ""}`;
    default:
      return event satisfies never;
  }
}

function describeOutcome(outcome: AttemptEnd | undefined): string {
  if (outcome === undefined) return "ended";
  const { exit, signal, timeout, cancelled, fault } = outcome;
  if (cancelled) return "stopped";
  if (timeout) return "exceeded its timeout";
  if (signal !== null) return `killed by signal ${signal}`;
  if (exit !== 0) return `failed (exit code ${exit ?? "unknown"})`;
  return fault === undefined ? "done" : `failed (${fault})`;
}

function describeAmount(bytes: number | null): string {
  return bytes === null ? "a part" : formatBytes(bytes);
}
