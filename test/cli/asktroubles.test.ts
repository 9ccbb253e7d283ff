import { join } from "node:path";
import t from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
t.setTimeout(300_000);

const inventory = shop.write("inventory.json", {
  defaults: { workdir: join(shop.folder, "work") },
  nodes: { here: { connection: "local", slots: 2 } },
});

/** Writes a queue with an `ask` program in Python, and returns what runs it. `keys`: further ones of the job. */
function writeQueue(name: string, program: string, keys: Record<string, unknown> = {}): string[] {
  shop.write(`${name}.py`, `import json, os, subprocess, sys, time\n${program}`);
  const command = ["sh", "-c", "echo $0; sleep $0"];
  const job = { name, kind: "queue", command, args: ["{s}"], params: { s: 0 }, outputs: ["stdout"], project: "none" };
  return ["run", shop.write(`${name}.json`, { ...job, ask: ["python3", `${name}.py`], ...keys }), "-i", inventory];
}

t.test("tasks that are refused are named in the output and in ask.log, and counted", async (t) => {
  const program = `
refused = 0
for line in sys.stdin:
    told = json.loads(line)
    if "refused" in told:
        refused += 1
        if refused == 7:
            print('{"done": true}', flush=True)
    elif "want" in told and refused == 0:
        print('{"id": "good"}')
        for n in range(6):
            print('{"id": "t%d", "params": {"rate": 1}}' % n)
        print('{"stop": "t0"}', flush=True)`;
  const ran = await runMuster(writeQueue("refusals", program));
  t.equal(ran.code, 0, ran.err);
  const reason = /task "t(\d)" is refused: ask:(\d):\d+: tasks\[0\]\.params: .*"rate"/g;
  const numbers = (text: string) => [...text.matchAll(reason)].map(([, id, line]) => [Number(id), Number(line)]);
  const places = [0, 1, 2, 3, 4, 5].map((n) => [n, n + 2]);
  t.same(numbers(ran.err), places.slice(0, 5), "the first ones, each with the line that the program has printed");
  t.match(ran.out + ran.err, "  ask: 6 tasks refused: see ");
  const log = shop.read("runs/refusals/ask.log");
  t.same(numbers(log), places);
  t.match(log, 'the stop of "t0" is refused: ask:8: the run has no such chunk');
  t.equal(shop.json<{ refusedTasks: number }>("runs/refusals/summary.json").refusedTasks, 6);
  const status = await runMuster(["status", "refusals"], { cwd: shop.folder });
  t.match(status.out, "  ask: 6 tasks refused: see ask.log");
});
