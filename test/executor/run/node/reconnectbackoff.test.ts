import t from "tap";
import { AgentTracker } from "../../../../executor/run/node/agenttracker.js";
import { ReconnectBackoff } from "../../../../executor/run/node/reconnectbackoff.js";

const GRACE_SECONDS = 60;

/** Attachments that last so many seconds each; answers with the pause after each. */
function pauses(lived: [seconds: number, agentIsNew: boolean][]): number[] {
  const backoff = new ReconnectBackoff(GRACE_SECONDS);
  let now = 1000;
  return lived.map(([seconds, agentIsNew]) => {
    backoff.recordAttached(now, agentIsNew);
    now += seconds;
    backoff.recordLost(now);
    now += backoff.pauseSeconds;
    return backoff.pauseSeconds;
  });
}

t.test("the pause before a node is reconnected grows and is reset", (t) => {
  const times = (count: number, seconds: number, agentIsNew: boolean) =>
    Array.from({ length: count }, (): [number, boolean] => [seconds, agentIsNew]);
  const table: [string, [number, boolean][], number[]][] = [
    ["brief connections", times(9, 2, false), [0.5, 1, 2, 4, 8, 16, 30, 30, 30]],
    ["connections that last", times(4, 30, false), [0.5, 0.5, 0.5, 0.5]],
    ["agents that die at once", times(4, 1, true), [0.5, 1, 2, 4]],
    ["a node that reboots every half minute", times(6, 30, true), [0.5, 0.5, 1, 2, 4, 8]],
    ["agents that die every two minutes", times(3, 120, true), [0.5, 0.5, 0.5]],
    ["one that lasts ends the series", [...times(4, 2, false), [20, false], [2, false]], [0.5, 1, 2, 4, 4, 0.5]],
    ["but not where the agent died", [...times(4, 2, false), [20, false], [2, true]], [0.5, 1, 2, 4, 4, 16]],
  ];
  for (const [what, lived, expected] of table) t.same(pauses(lived), expected, what);
  const hasty = new ReconnectBackoff(2);
  for (let count = 0; count < 9; count++) {
    hasty.recordAttached(count, false);
    hasty.recordLost(count);
  }
  t.equal(hasty.pauseSeconds, 1, "the node can be back within its grace period");
  t.match(hasty.reason, /failure 9 in a row, so reconnecting waits 1 s/);
  t.end();
});

t.test("a brief reconnection does not end the grace period, a longer one does", (t) => {
  const backoff = new ReconnectBackoff(GRACE_SECONDS);
  // When it was lost, after how long; what is left of a period that began before.
  const table: [at: number, lived: number, left: number | undefined][] = [
    [100, 50, undefined],
    [110, 2, 50],
    [140, 9, 20],
    [170, 1, 0],
    [200, 10, undefined],
    [205, 1, 55],
  ];
  for (const [at, lived, left] of table) {
    backoff.recordAttached(at - lived, false);
    backoff.recordLost(at);
    t.equal(backoff.graceLeftSeconds, left, `lost at ${at} s`);
  }
  t.end();
});

t.test("another agent means that the earlier one died or that the node rebooted", (t) => {
  const hello = (boot: string, pid: number, started: number) => ({ boot, pid, started });
  const tracker = new AgentTracker(2400);
  const table = [
    [hello("a", 10, 1), undefined],
    [hello("a", 10, 1), undefined],
    [hello("a", 11, 1), "died"],
    [hello("a", 11, 2), "died"],
    [hello("b", 11, 2), "rebooted"],
  ] as const;
  for (const [next, change] of table) t.equal(tracker.recordAttachment(next), change);
  t.end();
});

t.test("an agent whose lease may have run out does not count as dead", (t) => {
  const hello = { boot: "a", pid: 1, started: 1 };
  for (const [clock, name] of [
    [Date, "now"],
    [performance, "now"],
  ] as const) {
    const tracker = new AgentTracker(2400);
    tracker.recordAttachment(hello);
    const real = clock[name].bind(clock);
    t.teardown(() => Object.assign(clock, { [name]: real }));
    Object.assign(clock, { [name]: () => real() + 3_000_000 });
    // What came meanwhile is read when this machine wakes up.
    tracker.recordMessage();
    t.equal(tracker.recordAttachment({ ...hello, pid: 2 }), "ended");
    t.equal(tracker.recordAttachment({ ...hello, pid: 3 }), "died");
    Object.assign(clock, { [name]: real });
  }
  t.end();
});
