import t from "tap";
import type { LiveRun } from "../../executor/run/record/liverun.js";
import { estimateSecondsLeft, listFarOver, listStalled, timeAttempt } from "../../report/liveestimates.js";
import { createBusySlot, createLiveRun, LIVE_NOW_MS, secondsAgo } from "./liverunsample.js";

const run = (change: Partial<LiveRun>) =>
  createLiveRun({ waiting: { units: "0", seconds: 0 }, usableSlots: 2, running: 1, ...change });
const busy = (elapsed: number, expectedSeconds?: number, slot = 0) =>
  createBusySlot("rig", slot, elapsed, { expectedSeconds });

const TABLE: [what: string, live: LiveRun, secondsLeft: number | undefined][] = [
  ["the longest running chunk counts", run({ slots: [busy(10, 100), busy(10, 20, 1)], running: 2 }), 90],
  ["nothing is known of the only chunk", run({ slots: [busy(10)] }), undefined],
  ["one of two chunks is not known", run({ slots: [busy(10, 100), busy(10, undefined, 1)], running: 2 }), undefined],
  ["nothing is known of what waits", run({ slots: [busy(10, 20)], waiting: { units: "4" } }), undefined],
  ["what waits is longer", run({ slots: [busy(10, 20)], waiting: { units: "4", seconds: 60 } }), 65],
  ["an overdue chunk needs as long again as it is late", run({ slots: [busy(50, 20)] }), 30],
  ["nothing is left", run({ slots: [], running: 0 }), 0],
  ["no slot is usable", run({ slots: [], running: 0, usableSlots: 0, waiting: { units: "4", seconds: 9 } }), undefined],
  [
    "progress says more than what was measured",
    run({ slots: [createBusySlot("rig", 0, 50, { expectedSeconds: 20, progress: 0.25, progressAt: secondsAgo(0) })] }),
    150,
  ],
  [
    "progress that stands still",
    run({ slots: [createBusySlot("rig", 0, 100, { progress: 0.5, progressAt: secondsAgo(90) })] }),
    80,
  ],
];

for (const [what, live, secondsLeft] of TABLE)
  t.test(what, async (t) => t.equal(estimateSecondsLeft(live, LIVE_NOW_MS), secondsLeft));

t.test("a chunk is far over its expected time after three times that and 30 s", async (t) => {
  const isFarOver = (elapsed: number, expected?: number) =>
    timeAttempt(busy(elapsed, expected).running!, LIVE_NOW_MS).isFarOver;
  t.same(
    [isFarOver(29, 1), isFarOver(31, 1), isFarOver(31, 11), isFarOver(31, 10), isFarOver(9999)],
    [false, true, false, true, false],
  );
  const over = listFarOver(run({ slots: [busy(40, 1), busy(50, 1, 1), busy(3, 1, 2)] }), LIVE_NOW_MS);
  t.same(
    over.map(({ slot }) => slot),
    [1, 0],
    "the longest first",
  );
});

t.test("a chunk that reports its progress has stalled after five minutes without any", async (t) => {
  const slot = (number: number, seconds: number | undefined, expectedSeconds?: number) => {
    const progressAt = seconds === undefined ? undefined : secondsAgo(seconds);
    return createBusySlot("rig", number, 900, { progress: 0.5, progressAt, expectedSeconds });
  };
  const slots = [slot(0, 299), slot(1, 301), slot(2, undefined), slot(3, 400), slot(4, 800, 10)];
  const stalled = listStalled(run({ slots }), LIVE_NOW_MS);
  t.same(
    stalled.map((one) => one.slot),
    [3, 1],
    "the longest first; one that is far over its time is said to be that",
  );
});
