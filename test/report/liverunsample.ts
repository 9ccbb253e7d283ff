import type { LiveNode, LiveRun, LiveSlot } from "../../executor/run/record/liverun.js";

/** When the samples are looked at: 70 s after the session began. */
export const LIVE_NOW_MS = Date.parse("2026-11-24T10:01:10.000Z");

/** Returns an ISO 8601 time so many seconds before LIVE_NOW_MS. */
export function secondsAgo(seconds: number): string {
  return new Date(LIVE_NOW_MS - seconds * 1000).toISOString();
}

/** Returns a node that works, with some fields changed. */
export function createLiveNode(node: string, change: Partial<LiveNode> = {}): LiveNode {
  const counts = { chunks: 4, units: "4", failedAttempts: 0 };
  return { node, state: "live", slots: 2, running: 1, disabledSlots: 0, memoryWaitingSlots: 0, ...counts, ...change };
}

/** Returns a slot on which a chunk has run for `elapsed` seconds. */
export function createBusySlot(
  node: string,
  slot: number,
  elapsed: number,
  running: Partial<LiveSlot["running"]> = {},
): LiveSlot {
  return { node, slot, running: { chunk: `c${slot}`, attempt: 1, units: "1", since: secondsAgo(elapsed), ...running } };
}

/** Returns what a run with two nodes does now. One of them is away. */
export function createLiveRun(change: Partial<LiveRun> = {}): LiveRun {
  const progress = { expectedSeconds: 10, progress: 0.5, progressAt: secondsAgo(30), attempt: 2 };
  return {
    version: 1,
    name: "sieve",
    kind: "tasks",
    session: 1,
    pid: 7,
    host: "zeus",
    since: secondsAgo(70),
    written: secondsAgo(10),
    chunks: { done: 4, failed: 1 },
    units: { done: "4", session: "4", total: "10" },
    waiting: { units: "3", seconds: 30 },
    running: 1,
    usableSlots: 2,
    collecting: 1,
    nodes: [
      createLiveNode("rig", { disabledSlots: 1, memoryWaitingSlots: 1, failedAttempts: 1 }),
      createLiveNode("hera", { state: "away", reason: "no route", slots: 0, running: 0, chunks: 0, units: "0" }),
    ],
    slots: [
      { ...createBusySlot("rig", 0, 60, progress), queued: 2 },
      { node: "rig", slot: 1, gpu: 1, reason: "GPU sick", rate: 12 },
    ],
    omitted: { nodes: 1, slots: 2 },
    ...change,
  };
}
