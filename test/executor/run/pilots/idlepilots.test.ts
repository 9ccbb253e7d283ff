import t from "tap";
import { findIdlePilots } from "../../../../executor/run/pilots/idlepilots.js";
import type { Pilot } from "../../../../executor/run/pilots/pilot.js";
import { createCluster } from "../../../fleet/slurm/clusters.js";

const cluster = createCluster();
const NOW = 1000;

function createPilot(change: Partial<Pilot>): Pilot {
  const base = { token: "a", id: "1", state: "working", submittedAt: 0, beganAtMs: Date.now(), isReleased: false };
  return { ...base, ...change } as Pilot;
}

t.test("which pilots are given back", async (t) => {
  const old = Date.now() - cluster.request.timeSeconds * 900;
  const table: [what: string, pilot: Partial<Pilot>, waitingChunks: number, isIdle: boolean][] = [
    ["at work", { idleSince: undefined }, 0, false],
    ["idle for a minute, and nothing waits", { idleSince: 940 }, 0, true],
    ["idle for less", { idleSince: 941 }, 0, false],
    ["idle, and what waits does not fit it", { idleSince: 0 }, 5, false],
    ["the same with little time left", { idleSince: 0, beganAtMs: old }, 5, true],
    ["released already", { idleSince: 0, isReleased: true }, 0, false],
    ["in the queue, and nothing waits", { state: "pending", submittedAt: 900 }, 0, true],
    ["in the queue for a moment", { state: "pending", submittedAt: 990 }, 0, false],
    ["in the queue, and work waits", { state: "pending", submittedAt: 0 }, 1, false],
  ];
  for (const [what, pilot, waitingChunks, isIdle] of table)
    t.equal(
      findIdlePilots([createPilot(pilot)], { cluster, chunksPerPilot: 4 }, waitingChunks, NOW).length,
      isIdle ? 1 : 0,
      what,
    );
});

t.test("pilots in the queue beyond the work that waits", async (t) => {
  const pilots = [
    createPilot({ id: "1", state: "pending", submittedAt: 800 }),
    createPilot({ id: "2", state: "pending", submittedAt: 700 }),
    createPilot({ id: "3", state: "starting", submittedAt: 900 }),
    createPilot({ id: "4", state: "pending", submittedAt: 990 }),
    createPilot({ id: "5", idleSince: undefined }),
  ];
  const table: [waitingChunks: number, given: string[]][] = [
    [16, []],
    [13, []],
    [12, []],
    [8, ["1"]],
    [5, ["1"]],
    [4, ["2", "1"]],
    [0, ["3", "2", "1"]],
  ];
  for (const [waitingChunks, given] of table)
    t.same(
      findIdlePilots(pilots, { cluster, chunksPerPilot: 4 }, waitingChunks, NOW).map(({ id }) => id),
      given,
      `${waitingChunks} chunks wait`,
    );
});
