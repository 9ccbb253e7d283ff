import type { RunSummary } from "../executor/run/record/runsummary.js";
import { formatDuration, pluralize } from "./format.js";

/** Shorter plans say nothing about a run: connecting takes longer. */
const MIN_SECONDS = 1;
/** A plan of work alone that is shorter says nothing: start-up takes about as long. */
export const MIN_WORK_ONLY_SECONDS = 60;
/** From this factor on, a percentage is hard to read. */
const MIN_FACTOR = 3;

/** Compares the planned duration of a session with the actual one. */
export function comparePlanAndActual({ planned, session }: Pick<RunSummary, "planned" | "session">): string {
  const { chunks, seconds, isGuess, isWorkOnly } = planned!;
  const basis = isGuess ? "planned by the inventory's rates" : "planned";
  const time = isWorkOnly ? formatWorkOnly(seconds) : formatDuration(seconds);
  const actual = `${pluralize(session.chunks, "chunk")} in ${formatDuration(session.seconds)}`;
  const comparison =
    isGuess || isWorkOnly || seconds < MIN_SECONDS ? "" : `, ${compareDurations(session.seconds / seconds)}`;
  return `${basis}: ${pluralize(chunks, "chunk")} in ${time}; actual: ${actual}${comparison}`;
}

/** Returns the planned time of a run of whose nodes the start-up is not known. */
function formatWorkOnly(seconds: number): string {
  return seconds < MIN_WORK_ONLY_SECONDS ? "an unknown time" : `${formatDuration(seconds)} and an unknown start-up`;
}

/** `ratio`: of the actual duration to the planned one. */
function compareDurations(ratio: number): string {
  if (ratio >= MIN_FACTOR) return `${formatFactor(ratio)} times as long`;
  if (ratio > 0 && ratio <= 1 / MIN_FACTOR) return `${formatFactor(1 / ratio)} times as fast`;
  const off = Math.round((ratio - 1) * 100);
  return off === 0 ? "as planned" : `${Math.abs(off)} % ${off > 0 ? "longer" : "shorter"}`;
}

function formatFactor(factor: number): string {
  return factor < 10 ? factor.toFixed(1) : factor.toFixed(0);
}
