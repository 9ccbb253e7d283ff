import fc from "fast-check";
import t from "tap";
import { parseQueue, parseTimeLeft, SQUEUE_WORDS } from "../../../fleet/slurm/queue.js";
import { SQUEUE } from "../engines/slurmoutputs.js";

/** Puts a line that was recorded as `%i|%j|%T|%r|%S|%L|%N` into the order of SQUEUE_WORDS. */
function reorder(line: string): string {
  const [id, name, state, reason, , left] = line.trimEnd().split("|");
  return `${[id, state, reason, left, name].join("|")}\n`;
}

t.test("the columns are those that are asked for", async (t) => {
  t.equal(SQUEUE_WORDS.at(-1), "--format=%i|%T|%r|%L|%j");
});

t.test("real lines", async (t) => {
  const output = [SQUEUE.running, SQUEUE.overdue, ...SQUEUE.pending].map(reorder).join("");
  const waiting = (reason?: string) => ({
    jobName: "sbatch",
    state: "pending",
    ...(reason === undefined ? {} : { reason }),
  });
  t.strictSame(
    [...parseQueue(output)],
    [
      ["1", { jobName: "a", state: "running", secondsLeft: 364 * 86400 + 86399 }],
      ["22", { jobName: "sbatch", state: "running", secondsLeft: 0 }],
      ["13", waiting("Priority")],
      ["15", waiting("PartitionNodeLimit")],
      ["7", waiting("PartitionTimeLimit")],
      ["27", waiting("ReqNodeNotAvail, UnavailableNodes:node2")],
      ["2", waiting("BeginTime")],
      ["5", waiting()],
    ],
  );
});

t.test("states", async (t) => {
  const table: [states: string, expected: string][] = [
    ["PENDING CONFIGURING REQUEUED REQUEUE_HOLD", "pending"],
    ["RUNNING SUSPENDED STOPPED RESIZING SIGNALING", "running"],
    ["COMPLETING COMPLETED CANCELLED FAILED TIMEOUT NODE_FAIL PREEMPTED OUT_OF_MEMORY BOOT_FAIL DEADLINE", "ending"],
    ["STAGE_OUT SOMETHING_NEW", "ending"],
  ];
  for (const [states, expected] of table)
    for (const state of states.split(" "))
      t.equal(parseQueue(`8|${state}|None|1:00|x\n`).get("8")?.state, expected, state);
});

t.test("other lines are skipped, and names may hold anything", async (t) => {
  const lines = [
    "Welcome | to | the | login | node",
    "4|RUNNING|None|9:30|muster-a|b c",
    "9_3|PENDING|Priority|1:00|array",
    "",
    "  6|PENDING|Resources|N/A|x  ",
  ];
  t.strictSame(
    [...parseQueue(lines.join("\n"))],
    [
      ["4", { jobName: "muster-a|b c", state: "running", secondsLeft: 570 }],
      ["6", { jobName: "x", state: "pending", reason: "Resources" }],
    ],
  );
  t.equal(parseQueue("5|PENDING|\u001b[31mbad|1:00|x").get("5")?.reason, " [31mbad", "no control characters");
  t.equal(parseQueue(`5|PENDING|${"x".repeat(500)}|1:00|x`).get("5")?.reason?.length, 120);
});

t.test("spans of time", async (t) => {
  const table: [text: string, seconds: number | undefined][] = [
    ["0:00", 0],
    ["9:05", 545],
    ["1:02:03", 3723],
    ["2-00:00:01", 172_801],
    [" 10:00 ", 600],
    ["UNLIMITED", undefined],
    ["NOT_SET", undefined],
    ["N/A", undefined],
    // The time limit has passed, and Slurm has not seen it yet.
    ["INVALID", 0],
  ];
  for (const [text, seconds] of table) t.equal(parseTimeLeft(text), seconds, text);
  const two = (value: number) => `${value}`.padStart(2, "0");
  fc.assert(
    fc.property(fc.nat(400 * 86_400), (seconds) => {
      const [s, m, h, d] = [
        seconds % 60,
        Math.floor(seconds / 60) % 60,
        Math.floor(seconds / 3600) % 24,
        Math.floor(seconds / 86_400),
      ];
      const days = d > 0 ? `${d}-${two(h!)}:` : h! > 0 ? `${h}:` : "";
      return parseTimeLeft(`${days}${two(m!)}:${two(s!)}`) === seconds;
    }),
  );
});
