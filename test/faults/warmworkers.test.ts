import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { runMuster, startMuster } from "../cli/startmuster.js";
import type { LabNode } from "../lab/lab.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import {
  checkCommitted,
  checkNodes,
  checkResults,
  committedChunks,
  countRepeatedChunks,
  findAgentPid,
} from "./checks.js";
import { KnownJob, watchMuster } from "./knownjob.js";
import { createMulberry32 } from "./mulberry32.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 2 }, "looking into nodes");

/** The processes of the workers on a node. */
const findWorkers = (node: LabNode) =>
  node.processes().filter(({ argv }) => argv.some((word) => word.endsWith("worker.py")));

t.test("coordinator, agents and warm workers are killed at random: every chunk once", { skip }, async (t) => {
  const seed = Number(process.env.MUSTER_TEST_SEED ?? Date.now() % 1_000_000);
  t.comment(`MUSTER_TEST_SEED=${seed} repeats this`);
  const random = createMulberry32(seed);
  const retry = { attempts: 30, backoff: 0.1 };
  const job = new KnownJob(shop, "warmkills", { chunks: 300, seconds: 0.1, warm: true, job: { retry } });
  const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(random() * all.length)];
  for (let session = 0; session < 4; session++) {
    const { child, ended } = job.start(["-i", inventory]);
    for (let kill = 0; kill < 3; kill++) {
      await sleep(300 + random() * 600);
      const node = pick(lab.nodes)!;
      const pid = random() < 0.3 ? findAgentPid(node) : pick(findWorkers(node))?.pid;
      if (pid !== undefined) process.kill(pid, "SIGKILL");
    }
    child.kill("SIGKILL");
    await ended;
    checkCommitted(t, job, `session ${session}`);
  }
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  await checkNodes(t, lab.nodes);
});

t.test("warm workers end with their run, and execute every chunk once", { skip }, async (t) => {
  const job = new KnownJob(shop, "warmcount", { chunks: 60, seconds: 0.02, warm: true });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {}, "every chunk was executed once");
  await checkNodes(t, lab.nodes);
});

t.test("a node is powered off and on while warm workers run there", { skip }, async (t) => {
  const job = new KnownJob(shop, "warmpower", { chunks: 80, seconds: 0.2, warm: true });
  const run = job.start(["-i", inventory]);
  const [node] = lab.nodes as [LabNode];
  await waitUntil("some are done", () => committedChunks(job.run).length >= 10 && job.listRunning([node]).length > 0);
  await node.powerCycle();
  const ran = await run.ended;
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  await checkNodes(t, lab.nodes);
});

/** Writes a job whose worker is `body` in a loop over its chunks, with a module and a package beside it. */
function writeProject(name: string, body: string, job: Record<string, unknown>): string {
  shop.write(`${name}/model/__init__.py`, "");
  shop.write(`${name}/model/square.py`, "def square(n): return n * n\n");
  const script = `import muster, os, sys, time\nfor chunk in muster.chunks():\n${body.replaceAll(/^/gm, "    ")}\n`;
  shop.write(`${name}/worker.py`, script);
  shop.write(`${name}/.project-root`, "");
  return shop.write(`${name}/job.yaml`, { name, script: "worker.py", worker: "warm", outputs: ["r.json"], ...job });
}

t.test("a cancelled run of warm workers is resumed from the states that they saved", { skip }, async (t) => {
  const file = writeProject(
    "warmstate",
    `from model.square import square  # loaded by the first chunk
n, log, gate = int(chunk.args[0]), chunk.args[1], chunk.args[2]
current = chunk.state / "current"
if current.exists():
    step = int((chunk.state / current.read_text() / "step").read_text())
    with open(log, "a") as file: file.write("%d from %d\\n" % (n, step))
else:
    (chunk.state / "s1").mkdir()
    (chunk.state / "s1" / "step").write_text("%d" % (100 + n))
    (chunk.state / "new").write_text("s1")
    (chunk.state / "new").rename(current)
    with open(log, "a") as file: file.write("%d saved\\n" % n)
    while n > 2 and not os.path.exists(gate): time.sleep(0.02)
chunk.write("r.json", square(n))`,
    {
      kind: "matrix",
      matrix: { n: [0, 8] },
      args: ["{n}", "/var/tmp/warmstate.log", "/var/tmp/warmstate.go"],
      state: true,
      needs: { gpus: 1 },
    },
  );
  const log = () =>
    lab.nodes
      .map((node) => join(node.root, "var/tmp/warmstate.log"))
      .flatMap((file) => (existsSync(file) ? readFileSync(file, "utf8") : []))
      .join("");
  const run = watchMuster(startMuster(["run", file, "-i", inventory], { cwd: shop.folder }));
  const listWaiting = () => [...log().matchAll(/^([3-7]) saved$/gm)].map(([, n]) => n!);
  await waitUntil("four chunks wait", () => listWaiting().length === 4, 60);
  const waiting = listWaiting();
  const cancelled = await runMuster(["cancel", join(shop.folder, "warmstate/runs/warmstate"), "-i", inventory]);
  t.equal(cancelled.code, 0, cancelled.err);
  await run.ended;
  await checkNodes(t, lab.nodes);
  for (const node of lab.nodes) writeFileSync(join(node.root, "var/tmp/warmstate.go"), "");
  const ran = await runMuster(["run", file, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  const results = Array.from({ length: 8 }, (_, n) =>
    Number(readFileSync(join(shop.folder, `warmstate/runs/warmstate/results/n=${n}/r.json`), "utf8")),
  );
  t.same(results, [0, 1, 4, 9, 16, 25, 36, 49]);
  for (const n of waiting) t.match(log(), new RegExp(`^${n} from 10${n}$`, "m"));
  await checkNodes(t, lab.nodes);
});

t.test("floods and timeouts of warm workers cost their chunks' attempts only", { skip }, async (t) => {
  const file = writeProject(
    "warmflood",
    `n = int(chunk.args[0])
first = chunk.attempt == 1
print("load", chunk.args[1])
if n % 4 == 1:
    for _ in range(300): print("x" * 9999); print("y" * 9999, file=sys.stderr)
if n % 8 == 2 and first: time.sleep(60)
if n % 8 == 6 and first:
    while True: os.write(4, b"hello\\n" * 1000)
chunk.write("r.json", [n, chunk.args[1]])`,
    {
      kind: "matrix",
      matrix: { model: ["a", "b"], n: [0, 16] },
      args: ["{n}", "{model}"],
      isolate_by: "model",
      timeout: "3s",
      grace: "1s",
      retry: { attempts: 3, backoff: 0.1 },
    },
  );
  const ran = await runMuster(["run", file, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  const folder = join(shop.folder, "warmflood/runs/warmflood");
  for (const model of ["a", "b"])
    for (let n = 0; n < 16; n++) {
      const text = readFileSync(join(folder, `results/model=${model},n=${n}/r.json`), "utf8");
      t.same(JSON.parse(text), [n, model]);
    }
  await checkNodes(t, lab.nodes);
});
