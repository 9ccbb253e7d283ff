import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, TestFolder } from "./startmuster.js";

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
        if refused == 6:
            print('{"stop": "t0"}', flush=True)
        elif refused == 7:
            print('{"done": true}', flush=True)
    elif "want" in told and refused == 0:
        print('{"id": "good"}')
        for n in range(6):
            print('{"id": "t%d", "params": {"rate": 1}}' % n, flush=True)`;
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

t.test("children that do not hold the lock end before a new life, also where muster was killed", async (t) => {
  const program = `
def is_alive(pid):
    try:
        return open("/proc/%s/stat" % pid).read().split(") ")[-1][0] != "Z"
    except FileNotFoundError:
        return False
with open("children", "a+") as file:
    file.seek(0)
    earlier = file.read().split()
    print("alive:", [pid for pid in earlier if is_alive(pid)], file=sys.stderr)
    # subprocess closes the descriptors of the lock in the child.
    file.write("%d\\n" % subprocess.Popen(["sleep", "77"]).pid)
for line in sys.stdin:
    if earlier and "want" in json.loads(line):
        print('{"done": true}', flush=True)`;
  const words = writeQueue("children", program);
  const first = startMuster(words);
  const exited = once(first, "exit");
  const readChildren = () => (existsSync(join(shop.folder, "children")) ? shop.read("children").split("\n") : []);
  await waitUntil("it has a child", () => readChildren().length > 1);
  const [child] = readChildren();
  const group = readFileSync(`/proc/${child}/stat`, "utf8").split(" ")[4]!;
  first.kill("SIGKILL");
  await exited;
  await waitUntil("the program has read the end of its input", () => !existsSync(`/proc/${group}/environ`));
  t.ok(existsSync(`/proc/${child}/environ`), "its child lives on");
  const ran = await runMuster(words);
  t.equal(ran.code, 0, ran.err);
  t.same(shop.read("runs/children/ask.log").match(/^alive: .*/gm), ["alive: []", "alive: []"]);
});

t.test("a program that was asked for tasks and still thinks is not idle", async (t) => {
  const program = `
first = True
for line in sys.stdin:
    told = json.loads(line)
    if "want" in told and first:
        first = False
        time.sleep(4)
        print('{"id": "t1"}', flush=True)
    elif "output" in told:
        time.sleep(4)
        print('{"id": "t2"}\\n{"done": true}', flush=True)`;
  const ran = await runMuster(writeQueue("thinks", program, { idle: "1s" }));
  t.equal(ran.code, 0, ran.err);
  t.same(
    shop.results("runs/thinks").map(({ chunk }) => chunk),
    ["t1", "t2"],
  );
  t.notMatch(ran.out + ran.err, "had no work");
});

t.test("a queue that closes because it is idle says so, in the output and in the summary", async (t) => {
  const program = `
for line in sys.stdin:
    if "want" in json.loads(line):
        print('{"id": "t1", "params": {"rate": 1}}', flush=True)`;
  const ran = await runMuster(writeQueue("idles", program, { idle: "1s" }));
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, "the queue is closed, because it had no work for 1 s (`idle` of the job)");
  t.match(ran.out + ran.err, "  its queue was closed, because it had no work for 1 s");
  t.same(shop.json<{ idleClose: object }>("runs/idles/summary.json").idleClose, { seconds: 1 });
});

t.test("a program that dies is quoted with what it printed last", async (t) => {
  const ran = await runMuster(writeQueue("dies", "import no_such_module_of_muster\n"));
  t.equal(ran.code, 3);
  const reason = "has ended: exit code 1: ModuleNotFoundError: No module named 'no_such_module_of_muster'; its log is ";
  t.equal(ran.err.split(reason).length - 1, 4, ran.err);
  t.match(shop.json<{ halt: object }>("runs/dies/summary.json").halt, { reason });
});
