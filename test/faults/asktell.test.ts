import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { runMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { AskingJob, type Heard } from "./asking.js";
import { checkNodes, committedChunks } from "./checks.js";
import { createMulberry32 } from "./mulberry32.js";

const { skip, shop, lab } = await shareLab(t, { nodes: 2, gpus: 2 }, "asking a program");

t.setTimeout(280_000);

const queue = { kind: "queue", args: ["{n}", "3", "0.05"], params: { n: 0 } };

/** Adds tasks one by one, each decided from what the queue and the results have, until there are `total`; then it is done. */
const optimise = (total: number) => `
if "task" in told:
    state.setdefault("ids", set()).add(told["task"]["id"])
ids = state.setdefault("ids", set())
if "output" in told:
    state["results"] = state.get("results", 0) + 1
    if state["results"] == ${total}:
        return [{"done": True}]
answers = []
for _ in range(told.get("want", 0)):
    if len(ids) < ${total}:
        id = "t%03d" % len(ids)
        ids.add(id)
        answers.append({"id": id, "params": {"n": len(ids)}})
return answers`;

function readQueue(job: AskingJob): string {
  const file = join(job.run, "queue.ndjson");
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

const results = (life: Heard[]) => life.filter((one) => "output" in one).map(({ id }) => id!);

/** Every accepted task has one result, and no life of the program was told one twice, or in another order than it was committed. */
function checkExactlyOnce(t: Test, job: AskingJob, total: number): void {
  const ids = Array.from({ length: total }, (_, n) => `t${`${n}`.padStart(3, "0")}`);
  const committed = committedChunks(job.run);
  t.same([...committed].sort(), ids, "each task was committed once");
  t.same(
    job
      .results()
      .map(({ chunk }) => chunk)
      .sort(),
    ids,
    "and has one result",
  );
  for (const life of job.lives()) {
    const told = results(life);
    t.equal(new Set(told).size, told.length, "nothing was told twice in one life");
    t.same(told, committed.slice(0, told.length), "in the order of the commits");
  }
  t.equal(results(job.lives().at(-1)!).length, total, "the last life was told everything");
}

t.test("a program adds tasks as slots are idle, and ends the run", { skip }, async (t) => {
  const job = new AskingJob(shop, "asks", lab.inventory(), optimise(12), queue);
  const ran = await job.start().ended;
  t.equal(ran.code, 0, ran.err);
  t.match(JSON.parse(ran.out), { state: "complete", chunks: { done: 12, failed: 0 } });
  checkExactlyOnce(t, job, 12);
  const [life] = job.lives();
  const wants = life!.flatMap(({ want }) => want ?? []);
  t.ok(wants[0]! > 0 && Math.max(...wants) <= 4, `it was asked for as many tasks as slots were idle: ${wants}`);
  t.match(
    life!.find(({ id }) => id === "t003"),
    { params: { n: 4 } },
  );
  await checkNodes(t, lab.nodes);
});

t.test("a task that exists is no change with the same content, and refused with another one", { skip }, async (t) => {
  const decide = `
if "refused" in told:
    return [{"done": True}]
if "want" in told and not state:
    state["asked"] = True
    return [{"id": "a", "params": {"n": 1}}, {"id": "a", "params": {"n": 1}}, {"id": "b", "params": {"n": 2}}, {"id": "a", "params": {"n": 9}}]
return []`;
  const job = new AskingJob(shop, "refused", lab.inventory(), decide, queue);
  const ran = await job.start().ended;
  t.equal(ran.code, 0, ran.err);
  t.same(
    job.results().map(({ chunk }) => chunk),
    ["a", "b"],
  );
  const refusals = job.lives()[0]!.filter(({ refused }) => refused !== undefined);
  t.match(refusals, [{ refused: "a", reason: /has a task "a" already, with another content/ }]);
});

t.test("a program that asks for too many tasks at once is not read for a while", { skip }, async (t) => {
  const job = new AskingJob(shop, "floods", lab.inventory(), "return []", {
    ...queue,
    outputs: [],
    command: ["sh", "-c", "until [ -e /tmp/open ]; do sleep 0.1; done"],
    script: undefined,
    args: [],
    ask: ["python3", "-c", 'for n in range(10**6): print(\'{"id": "t%d"}\' % n)'],
  });
  const { child, ended } = job.start();
  const addedCount = () => readQueue(job).split('"id":').length - 1;
  await waitUntil("as many tasks wait as may", () => addedCount() >= 1000);
  let before = 0;
  await waitUntil("no more are added", async () => {
    const seen = before;
    before = addedCount();
    await sleep(1000);
    return before === seen;
  });
  await sleep(2000);
  t.equal(addedCount(), before, "nothing is added while nothing is done");
  t.ok(before < 3000, `${before} tasks were added`);
  for (const node of lab.nodes) writeFileSync(join(node.root, "tmp/open"), "");
  await waitUntil("more are added", () => addedCount() > before);
  child.kill("SIGINT");
  t.equal((await ended).code, 130);
  t.equal((await runMuster(["cancel", job.run])).code, 0);
  await checkNodes(t, lab.nodes);
});

for (const who of ["coordinator", "program"] as const)
  t.test(
    `every task is committed once and told once where the ${who} is killed at random times`,
    { skip },
    async (t) => {
      const random = createMulberry32(who === "program" ? 7 : 11);
      const total = 24;
      const job = new AskingJob(shop, `kills-${who}`, lab.inventory(), optimise(total), queue);
      let running = job.start();
      for (let kills = 0; kills < 4; kills++) {
        const before = committedChunks(job.run).length;
        const next = Math.min(total - 2, before + 1 + Math.floor(random() * 4));
        await waitUntil("some results are committed", () => committedChunks(job.run).length >= next);
        await sleep(random() * 300);
        if (who === "coordinator") {
          running.child.kill("SIGKILL");
          await running.ended;
          running = job.start();
        } else {
          const [pid] = readFileSync(join(job.run, "ask.lock"), "utf8").split(" ");
          if (Number(pid) > 0) process.kill(Number(pid), "SIGKILL");
        }
      }
      const ran = await running.ended;
      t.equal(ran.code, 0, ran.err);
      checkExactlyOnce(t, job, total);
      t.ok(job.lives().length > 1);
      await checkNodes(t, lab.nodes);
    },
  );
