import fc from "fast-check";
import t from "tap";
import {
  countMissingPilots,
  type PilotDemand,
  pauseAfterFailures,
  pauseBeforeLook,
} from "../../../../executor/run/pilots/decidepilots.js";

const usual: PilotDemand = {
  limit: 16,
  open: 0,
  unstarted: 0,
  slotsPerPilot: 1,
  waitingChunks: 100,
  hasWaitedSeconds: 1,
  waitingSeconds: undefined,
  overflow: undefined,
};

t.test("how many pilots to submit", async (t) => {
  const table: [what: string, change: Partial<PilotDemand>, expected: number][] = [
    ["a few at a time", {}, 4],
    ["no work", { waitingChunks: 0 }, 0],
    ["work for two", { waitingChunks: 2 }, 2],
    ["slots of a pilot share the work", { waitingChunks: 5, slotsPerPilot: 4 }, 2],
    ["those that wait will take some of it", { waitingChunks: 5, slotsPerPilot: 4, unstarted: 1, open: 1 }, 1],
    ["they will take all of it", { waitingChunks: 4, slotsPerPilot: 4, unstarted: 1, open: 1 }, 0],
    ["those that work have work already", { waitingChunks: 1, open: 7 }, 1],
    ["the limit", { limit: 3, open: 2 }, 1],
    ["the limit has been lowered", { limit: 1, open: 3 }, 0],
    ["short work needs few slots", { waitingSeconds: 30 }, 2],
    ["work of an instant needs one", { waitingSeconds: 0.5 }, 1],
    ["short work that has waited for long is not short", { waitingSeconds: 0.5, hasWaitedSeconds: 41 }, 4],
    ["long work", { waitingSeconds: 1e6 }, 4],
    ["machines are fast enough", { overflow: { afterSeconds: 1800, remainingSeconds: 1800 } }, 0],
    ["machines are too slow", { overflow: { afterSeconds: 1800, remainingSeconds: 1801 } }, 4],
    ["machines will never be done", { overflow: { afterSeconds: 1800, remainingSeconds: Infinity } }, 4],
  ];
  for (const [what, change, expected] of table) t.equal(countMissingPilots({ ...usual, ...change }), expected, what);
});

t.test("there are never more than the limit, nor more than there is work for", async () => {
  const number = fc.nat(40);
  const demand = fc.record({
    limit: number,
    open: number,
    unstarted: number,
    slotsPerPilot: fc.integer({ min: 1, max: 8 }),
    waitingChunks: number,
    hasWaitedSeconds: number,
    waitingSeconds: fc.option(fc.double({ min: 0, max: 1e4, noNaN: true }), { nil: undefined }),
  });
  fc.assert(
    fc.property(demand, (one) => {
      const missing = countMissingPilots({ ...one, overflow: undefined });
      const isWithin = missing === 0 || one.open + missing <= one.limit;
      const isUseful = missing === 0 || (one.unstarted + missing - 1) * one.slotsPerPilot < one.waitingChunks;
      return Number.isSafeInteger(missing) && missing >= 0 && isWithin && isUseful;
    }),
  );
});

t.test("pauses", async (t) => {
  t.strictSame([0, 1, 2, 3, 4, 5, 6, 50].map(pauseAfterFailures), [0, 30, 60, 120, 240, 480, 600, 600]);
  t.strictSame([0, 1, 2, 3, 4, 5, 6, 50].map(pauseBeforeLook), [0.5, 0.5, 1, 2, 4, 8, 30, 30]);
});
