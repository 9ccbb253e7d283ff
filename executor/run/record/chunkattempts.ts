import type { LiveAttempt, LiveRun } from "./liverun.js";
import type { RunSession } from "./replay.js";
import type { RunHistory } from "./runhistory.js";

/** An attempt at a chunk. `began`: ISO 8601; absent where it was not written down, or the program did not start. */
export interface ChunkAttempt {
  chunk: string;
  attempt: number;
  node: string;
  slot: number;
  gpu?: number;
  state: "done" | "failed" | "stopped" | "running";
  began?: string;
  seconds?: number;
  /** Why it failed or was stopped. */
  reason?: string;
  /** What is known of it while it runs. */
  live?: LiveAttempt;
}

/** Why an attempt was stopped whose chunk was stopped with it. */
export const ON_REQUEST = "on request";

/** Returns all attempts at the chunks that `includes` accepts, by their numbers. */
export function listChunkAttempts(history: RunHistory, includes: (chunk: string) => boolean): ChunkAttempt[] {
  const { sessions, status } = history;
  const isRunning = status.state === "running";
  // What the live run shows is up to a second older than the journal.
  const ended = new Set(history.executions.map(({ chunk, attempt }) => `${chunk} ${attempt}`));
  const live = isRunning ? listLiveAttempts(status.live) : [];
  const running = live.filter((one) => !ended.has(`${one.live.chunk} ${one.live.attempt}`));
  const place = <T extends { chunk: string; attempt: number; node: string; slot: number }>(one: T) => {
    const { chunk, attempt, node, slot } = one;
    const gpu = status.live?.slots.find((other) => other.node === node && other.slot === slot)?.gpu;
    return { chunk, attempt, node, slot, ...(gpu === undefined ? {} : { gpu }) };
  };
  const times = (from: number, seconds: number | undefined) =>
    seconds === undefined ? {} : { began: toTime(sessions, from), seconds: round(seconds) };
  const attempts: ChunkAttempt[] = [
    ...history.executions.map((one) => ({
      ...place(one),
      ...(one.isStopped ? { state: "stopped" as const, reason: ON_REQUEST } : { state: "done" as const }),
      ...times(one.from, one.seconds),
    })),
    ...history.failedAttempts.map((one) => ({
      ...place(one),
      state: "failed" as const,
      ...times(one.from, one.seconds),
      reason: one.reason,
    })),
    ...history.stoppedAttempts.map((one) => ({
      ...place(one),
      state: "stopped" as const,
      ...times(one.from, one.seconds),
      reason: one.by === undefined ? one.why : `${one.why} by run ${one.by}`,
    })),
    ...running.map(({ node, slot, live }) => ({
      ...place({ chunk: live.chunk, attempt: live.attempt, node, slot }),
      state: "running" as const,
      began: live.since,
      live,
    })),
  ];
  return attempts
    .filter(({ chunk }) => includes(chunk))
    .sort((a, b) => a.attempt - b.attempt || (a.began ?? "").localeCompare(b.began ?? ""));
}

/** Whether an attempt continues the one before it in the list: one that was preempted uses up no try, so it keeps its number. */
export function isContinuation(attempts: readonly ChunkAttempt[], index: number): boolean {
  const [before, one] = [attempts[index - 1], attempts[index]];
  return before !== undefined && before.chunk === one?.chunk && before.attempt === one.attempt;
}

function listLiveAttempts(live: LiveRun | undefined): { node: string; slot: number; live: LiveAttempt }[] {
  return (live?.slots ?? []).flatMap(({ node, slot, running }) =>
    running === undefined ? [] : [{ node, slot, live: running }],
  );
}

/** Converts seconds at work into a time, ISO 8601. */
function toTime(sessions: readonly RunSession[], secondsAtWork: number): string | undefined {
  const session = sessions.findLast(({ from }) => from <= secondsAtWork);
  if (session === undefined) return undefined;
  return new Date(Date.parse(session.began) + (secondsAtWork - session.from) * 1000).toISOString();
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
