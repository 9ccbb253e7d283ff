import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { Asker } from "../../../../executor/run/ask/asker.js";
import { Outcomes } from "../../../../executor/run/ask/outcomes.js";
import type { TaskSink } from "../../../../executor/run/ask/tasksink.js";
import { ChunkEvents } from "../../../../executor/run/chunkevents.js";
import type { Coordinator } from "../../../../executor/run/coordinator.js";
import { monotonicSeconds } from "../../../../executor/run/timer.js";
import { MusterError } from "../../../../schemas/errors.js";
import { waitUntil } from "../../../lab/waituntil.js";

t.setTimeout(600_000);

/** A queue that takes each task, until it is closed. */
class FakeQueue implements TaskSink {
  readonly added: string[] = [];
  isOpen = true;
  readonly acceptedCount = 0n;

  async add(tasks: readonly string[]): Promise<number> {
    if (!this.isOpen) throw new MusterError("QUEUE_CLOSED", "the queue is closed");
    this.added.push(...tasks);
    return tasks.length;
  }

  async close(): Promise<void> {
    this.isOpen = false;
  }

  isRefusal({ code }: MusterError): boolean {
    return code === "QUEUE_CLOSED";
  }
}

/** Starts an asker of a run with a Python program, and with `results`, the lines of results.ndjson. */
function startAsker(
  t: Test,
  program: string,
  {
    sink,
    demand,
    results = "",
    argv = ["python3", "ask.py"],
  }: { sink?: TaskSink; demand: object; results?: string; argv?: string[] },
) {
  const path = t.testdir({ "results.ndjson": results, "journal.ndjson": "", "ask.py": program });
  chmodSync(join(path, "ask.py"), 0o755);
  const ends: object[] = [];
  const notices: string[] = [];
  const coordinator = {
    chunkEvents: new ChunkEvents(),
    counters: { refusedTasks: 0, job: { folder: path, first: 0n, units: 1n, params: {}, unitsOf: () => undefined } },
    scheduler: { view: { inFlight: () => [] }, attempt: () => undefined },
    demand,
    end: (end: object) => ends.push(end),
  } as unknown as Coordinator;
  const outcomes = Outcomes.open(path, 0);
  const asker = new Asker({ argv, path, coordinator, outcomes, sink, notice: (message) => notices.push(message) });
  asker.start();
  t.teardown(() => asker.stop(false));
  const read = (file: string) => {
    try {
      return readFileSync(join(path, file), "utf8");
    } catch {
      return "";
    }
  };
  return { asker, coordinator, ends, notices, read };
}

/** Writes what it is told to the file `heard`. */
const HEAR = `import sys
heard = open("heard", "a", buffering=1)
def hear():
    for line in sys.stdin:
        heard.write(line)
`;

t.test("a program without a queue is read however many chunks wait", async (t) => {
  const program = `${HEAR}print('{"stop": "n=1"}', flush=True)\nhear()`;
  const { ends, read } = startAsker(t, program, { demand: { usableSlots: 4, openTasks: 2000 } });
  await waitUntil("its stop is answered", () => read("heard").includes('{"refused":"n=1"'));
  t.same(ends, []);
});

t.test("stop is read while many tasks wait, and tasks are added when fewer do, in their order", async (t) => {
  const program = `${HEAR}print('{"id": "a"}\\n{"id": "b"}\\n{"stop": "n=1"}', flush=True)\nhear()`;
  const demand = { usableSlots: 4, openTasks: 2000 };
  const sink = new FakeQueue();
  const { read } = startAsker(t, program, { sink, demand });
  await waitUntil("its stop is answered", () => read("heard").includes('{"refused":"n=1"'));
  t.same(sink.added, [], "its tasks are held back");
  demand.openTasks = 10;
  await waitUntil("tasks are added", () => sink.added.length > 0);
  t.same(sink.added, ['{"id": "a"}', '{"id": "b"}']);
});

t.test("a cancelled task ends for the program, too", async (t) => {
  const sink = new FakeQueue();
  const { coordinator, read } = startAsker(t, `${HEAR}hear()`, { sink, demand: { usableSlots: 1, openTasks: 1 } });
  coordinator.chunkEvents.emit("cancelled", "trial-3");
  await waitUntil("it hears something", () => read("heard").includes("trial-3"));
  t.match(read("heard"), /^\{"id": "trial-3", "params": \{\}, "cancelled": true\}$/m);
});

t.test("done closes the queue after the tasks before it", async (t) => {
  const sink = new FakeQueue();
  const program = `${HEAR}print('{"id": "a"}\\n{"done": true}', flush=True)\nhear()`;
  startAsker(t, program, { sink, demand: { usableSlots: 4, openTasks: 2000 } });
  await waitUntil("the queue is closed", () => !sink.isOpen);
  t.same(sink.added, ['{"id": "a"}']);
});

t.test("a program that is refused all tasks is not asked again and again", async (t) => {
  const program = `import json, sys
heard = open("heard", "a", buffering=1)
for count, line in enumerate(sys.stdin):
    heard.write(line)
    if "want" in json.loads(line):
        print(json.dumps({"id": "t%d" % count}), flush=True)
    elif count < 50:
        print('{"stop": "n=1"}', flush=True)`;
  const sink = new FakeQueue();
  sink.add = () => Promise.reject(new MusterError("QUEUE_CLOSED", "the queue is closed"));
  const { read } = startAsker(t, program, { sink, demand: { usableSlots: 4, openTasks: 0 } });
  await waitUntil("many answers were exchanged", () => read("heard").split("\n").length > 50);
  t.equal(read("heard").split('"want"').length - 1, 1);
});

t.test("a program is not asked for tasks of a closed queue", async (t) => {
  const sink = new FakeQueue();
  await sink.close();
  const program = `${HEAR}print('{"stop": "n=1"}', flush=True)\nhear()`;
  const { asker, read } = startAsker(t, program, { sink, demand: { usableSlots: 4, openTasks: 0 } });
  await waitUntil("its stop is answered", () => read("heard").includes('{"refused":"n=1"'));
  await asker.stop(true);
  t.notMatch(read("heard"), '"want"');
});

t.test("a slow program is told the last large results before its input ends", async (t) => {
  const line = (n: number) =>
    `{"chunk":"n=${n}","node":"rig","slot":0,"attempt":1,"seconds":1,"sha256":"","output":"${"x".repeat(200_000)}"}\n`;
  const program = `import sys, time
heard = open("heard", "a", buffering=1)
heard.write("begun\\n")
for line in sys.stdin:
    time.sleep(0.05)
    heard.write(line[:12] + "\\n")
heard.write("end\\n")`;
  const { asker, coordinator, read } = startAsker(t, program, {
    demand: { usableSlots: 4, openTasks: 0 },
    results: Array.from({ length: 20 }, (_, n) => line(n)).join(""),
  });
  await waitUntil("it runs", () => read("heard").includes("begun"));
  coordinator.chunkEvents.emit("committed", 20);
  const began = monotonicSeconds();
  await asker.stop(true);
  t.equal(read("heard").split('"id"').length - 1, 20);
  t.match(read("heard"), "end");
  t.ok(monotonicSeconds() - began < 15);
});

t.test("a program that cannot be started halts the run with the reason in words", async (t) => {
  const demand = { usableSlots: 4, openTasks: 0 };
  const { asker, ends, notices } = startAsker(t, "#!/nowhere/python3\n", { demand, argv: ["./ask.py"] });
  await waitUntil("the run halts", () => ends.length > 0);
  const reason = /^ask: \.\/ask\.py has ended: the interpreter in the first line of \.\/ask\.py does not exist; /;
  t.match(ends, [{ state: "halted", halt: { reason } }]);
  t.match(notices, [reason, reason, reason, reason]);
  await asker.stop(false);
});

t.test("slots that are idle because tasks were refused are not called a lack of answers", async (t) => {
  const program = `${HEAR}print('{"id": "a"}', flush=True)\nhear()`;
  const sink = new FakeQueue();
  sink.add = () => Promise.reject(new MusterError("CHANGED", "its file has changed"));
  sink.isRefusal = () => true;
  const { notices, read } = startAsker(t, program, { sink, demand: { usableSlots: 4, openTasks: 0 } });
  await waitUntil("something is said of idle slots", () => notices.some((one) => one.includes("slots are idle")));
  t.match(read("heard"), '{"refused":"a","reason":"ask:1: its file has changed"}');
  t.same(notices, [
    'ask: task "a" is refused: ask:1: its file has changed',
    "ask: slots are idle for 30 s, because the last task of the program was refused: ask:1: its file has changed",
  ]);
});
