import type { Failure } from "../executor/schedule/events.js";
import { findFailureKind } from "../executor/schedule/halting/failurekind.js";
import { formatReason, withoutShownDetail } from "./failurereason.js";
import { formatCount, pluralize } from "./format.js";

const MAX_STDERR_LINES = 5;
/** Of chunks that failed alike, beside the first. */
const MAX_NAMED_CHUNKS = 5;

/** Returns the lines about a failed chunk: where, why, and the end of its stderr. */
export function formatFailure(failure: Failure): string[] {
  const lastLines = failure.stderr.trimEnd().split("\n").slice(-MAX_STDERR_LINES);
  return [
    formatFailureHead(withoutShownDetail(failure, lastLines)),
    ...lastLines.filter((line) => line !== "").map((line) => `    ${line}`),
  ];
}

/** Returns one line about a failed chunk: where and why. */
export function formatFailureHead(failure: Failure): string {
  const { chunk, node, slot, attempt } = failure;
  const place = slot < 0 ? "" : ` on ${node} slot ${slot}`;
  return `failed: chunk ${chunk}${place}, attempt ${attempt}: ${formatReason(failure)}`;
}

/** Returns an entry of lines for each kind of failure, in the order of their first chunks. `verbose`: every chunk is named. */
export function formatFailureGroups(failures: readonly Failure[], verbose = false): string[][] {
  const groups = new Map<string, Failure[]>();
  for (const failure of failures) {
    const kind = findFailureKind(failure);
    groups.set(kind, [...(groups.get(kind) ?? []), failure]);
  }
  return [...groups.values()].map(([first, ...others]) => [...formatFailure(first!), ...nameOthers(others, verbose)]);
}

function nameOthers(others: readonly Failure[], verbose: boolean): string[] {
  if (others.length === 0) return [];
  const named = others.slice(0, verbose ? others.length : MAX_NAMED_CHUNKS).map(({ chunk }) => chunk);
  const rest = others.length - named.length;
  const more = rest === 0 ? "" : ` and ${formatCount(rest)} more`;
  return [`  failed alike: ${pluralize(others.length, "other chunk")}: ${named.join(", ")}${more}`];
}
