import t from "tap";
import { areStuck, usableSeconds } from "../../../../executor/run/pilots/stuckpilots.js";
import { createCluster } from "../../../fleet/slurm/clusters.js";

t.test("a pilot works until Slurm may warn it", async (t) => {
  const table: [time: string, seconds: number][] = [
    ["1h", 3600 - 120 - 60],
    ["5m", 300 - 75 - 30],
    ["1m", 60 - 15 - 6],
  ];
  for (const [time, seconds] of table) t.equal(usableSeconds(createCluster(`time: ${time}`)), seconds, time);
});

t.test("work is left that no pilot can take", async (t) => {
  const hour = createCluster("time: 1h");
  const minute = createCluster("time: 1m");
  const fresh = { idleSince: 0, deadline: 3420 };
  const table: [what: string, cluster: typeof hour, working: Parameters<typeof areStuck>[0], now: number, boolean][] = [
    ["none works", hour, [], 1000, false],
    ["idle from its start", hour, [fresh], 46, true],
    ["idle for a moment", hour, [fresh], 44, false],
    ["idle near its end: the next one has time", hour, [{ idleSince: 3000, deadline: 3420 }], 3100, false],
    ["busy", hour, [{ ...fresh, idleSince: undefined }], 1000, false],
    ["one of two busy", hour, [fresh, { ...fresh, idleSince: undefined }], 1000, false],
    ["one of two near its end", hour, [fresh, { idleSince: 900, deadline: 1000 }], 990, true],
    ["a time limit so short that half of it is the limit", minute, [{ idleSince: 0, deadline: 39 }], 20, true],
    ["half of a short limit", minute, [{ idleSince: 0, deadline: 39 }], 19, false],
  ];
  for (const [what, cluster, working, now, expected] of table) t.equal(areStuck(working, cluster, now), expected, what);
});
