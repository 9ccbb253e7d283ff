import t from "tap";
import { PilotFailures } from "../../../../executor/run/pilots/pilotfailures.js";

const failure = (submittedAt: number, host?: string) => ({ id: "7", submittedAt, host, reason: "no python3" });

t.test("failures on different nodes, and of pilots that were submitted after the last failure, count", async (t) => {
  const table: { what: string; failures: [submittedAt: number, at: number, host?: string][]; areTooMany: boolean }[] = [
    {
      what: "three nodes at once",
      failures: [
        [0, 1, "a"],
        [0, 1, "b"],
        [0, 1, "c"],
      ],
      areTooMany: true,
    },
    {
      what: "one node at once",
      failures: [
        [0, 1, "a"],
        [0, 1, "a"],
        [0, 1, "a"],
        [0, 2, "a"],
      ],
      areTooMany: false,
    },
    {
      what: "one node again and again",
      failures: [
        [0, 1, "a"],
        [2, 3, "a"],
        [4, 5, "a"],
      ],
      areTooMany: true,
    },
    {
      what: "unknown nodes at once",
      failures: [
        [0, 1],
        [0, 1],
        [0, 1],
      ],
      areTooMany: false,
    },
    {
      what: "unknown nodes, one after another",
      failures: [
        [0, 1],
        [2, 3],
        [4, 5],
      ],
      areTooMany: true,
    },
  ];
  for (const { what, failures, areTooMany } of table) {
    const series = new PilotFailures();
    for (const [submittedAt, at, host] of failures) series.add(failure(submittedAt, host), at);
    t.equal(series.areTooMany, areTooMany, what);
  }
});

t.test("a pilot that works ends the series; bad nodes stay left out", async (t) => {
  const series = new PilotFailures();
  series.add(failure(0, "a"), 1);
  series.add(failure(0, "b"), 1);
  series.reset();
  series.add(failure(2, "c"), 3);
  t.notOk(series.areTooMany);
  t.strictSame(series.excludedHosts, ["a", "b", "c"]);
  t.ok(series.stopExcluding());
  t.strictSame(series.excludedHosts, []);
  t.notOk(series.stopExcluding(), "nothing is left out");
  series.add(failure(4, "d"), 5);
  t.strictSame(series.excludedHosts, [], "nor is a new one");
});

t.test("without a node to avoid, the next pilot waits", async (t) => {
  const series = new PilotFailures();
  t.strictSame(series.add(failure(0), 1), {
    message: "pilot 7 could not work: no python3; the next one comes in 30 s (failure 1 of 3)",
    pauseSeconds: 30,
  });
  t.strictSame(series.add(failure(2, "a"), 3), {
    message: "pilot 7 could not work on a: no python3; further ones go to other nodes (failure 2 of 3)",
    pauseSeconds: 0,
  });
  t.match(series.add(failure(4, "b"), 5), { message: "pilot 7 could not work on b: no python3" });
  t.equal(series.describeSeries("no python3"), "3 pilots in a row could not work (on a, b): no python3");
});
