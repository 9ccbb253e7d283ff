import t from "tap";
import { drawToken, formatJobName, isOverdue, parseJobName } from "../../../../executor/run/pilots/pilot.js";
import { createCluster } from "../../../fleet/slurm/clusters.js";

t.test("names of jobs", async (t) => {
  const token = drawToken();
  t.match(token, /^[0-9a-f]{8}$/);
  t.not(token, drawToken());
  t.equal(parseJobName(formatJobName("r1", token), ["r0", "r1"]), token);
  const table: [name: string, token: string | undefined][] = [
    ["muster-r1-abc", "abc"],
    ["muster-r0-abc", "abc"],
    ["muster-r10-abc", undefined],
    ["muster-r2-abc", undefined],
    ["muster-test", undefined],
    ["xmuster-r1-abc", undefined],
    ["", undefined],
  ];
  for (const [name, expected] of table) t.equal(parseJobName(name, ["r0", "r1"]), expected, name);
  t.equal(parseJobName("muster-r1-abc", []), undefined);
});

t.test("a pilot that cannot be asked about is over 5 minutes after its time limit", async (t) => {
  const cluster = createCluster("time: 1h");
  const seconds = 3600 + 300;
  t.notOk(isOverdue({ beganAtMs: 1000 }, cluster, 1000 + seconds * 1000));
  t.ok(isOverdue({ beganAtMs: 1000 }, cluster, 1001 + seconds * 1000));
  t.notOk(isOverdue({ beganAtMs: undefined }, cluster, Number.MAX_SAFE_INTEGER), "it has not begun");
});
