import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster, startMuster, waitForExit } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { checkCommitted, checkNodes, checkResults, countRepeatedChunks } from "./checks.js";
import { KnownJob } from "./knownjob.js";
import { createMulberry32 } from "./mulberry32.js";
import { TmpfsDisks } from "./tmpfsdisk.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 4 }, "looking into nodes");
const disks = new TmpfsDisks(t);

/** A known job as a queue: its tasks have the ids of the chunks, and their numbers as the parameter `n`. */
function makeQueue(name: string, chunks: number, seconds: number): KnownJob {
  return new KnownJob(shop, name, { chunks, seconds, job: { kind: "queue", matrix: undefined, params: { n: "0" } } });
}

/** Writes a file with some tasks of a job. */
function writeBatch(job: KnownJob, number: number, ids: readonly string[], more: Record<string, unknown> = {}): string {
  const tasks = ids.map((id) => JSON.stringify({ id, params: { n: id.slice("n=".length) }, ...more }));
  return shop.write(`${job.name}/batches/${number}.ndjson`, `${tasks.join("\n")}\n`);
}

const accepted = async (job: KnownJob): Promise<string> =>
  JSON.parse((await runMuster(["status", job.run, "--json"])).out).units.total;

t.test(
  "coordinators and adding processes are killed at random times: every accepted task is done once",
  { skip },
  async (t) => {
    const seed = Number(process.env.MUSTER_TEST_SEED ?? Date.now() % 1_000_000);
    t.comment(`MUSTER_TEST_SEED=${seed} repeats this`);
    const random = createMulberry32(seed);
    const job = makeQueue("kills", 120, 0.1);
    const batches = Array.from({ length: 12 }, (_, at) => job.chunks.slice(10 * at, 10 * at + 10));
    let kills = 0;
    /** Adds a batch until that has succeeded; before, the process is killed at a random time or right after the batch is on disk. */
    const add = async (number: number, ids: readonly string[]) => {
      const words = ["add", job.file, writeBatch(job, number, ids), "--out", job.run];
      for (let attempt = 0; ; attempt++) {
        const isAtStep = attempt === 1;
        const child = startMuster(words, { env: isAtStep ? { MUSTER_KILL_AT: "accepted" } : {} });
        const timer = attempt === 0 ? setTimeout(() => child.kill("SIGKILL"), 100 + random() * 700) : undefined;
        const { code, err } = await waitForExit(child);
        clearTimeout(timer);
        if (code === 0) return;
        t.equal(code, null, err);
        kills++;
      }
    };
    const adding = (async () => {
      for (const [number, ids] of batches.entries()) await add(number, ids);
    })();
    let isAdded = false;
    void adding.finally(() => {
      isAdded = true;
    });
    for (let kill = 0; kill < 5 || !isAdded; kill++) {
      const { child, ended } = job.start(["-i", inventory]);
      const timer = setTimeout(() => child.kill("SIGKILL"), 500 + random() * 3000);
      await ended;
      clearTimeout(timer);
      checkCommitted(t, job, `kill ${kill}`);
    }
    await adding;
    t.ok(kills >= 5, `${kills} adding processes were killed`);
    t.equal(await accepted(job), "120");
    t.match(await runMuster(["add", job.run, "--close"]), { code: 0 });
    const ran = await job.muster(["-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    checkResults(t, job);
    t.same(countRepeatedChunks(job, lab.nodes), {}, "every task was executed once");
    await checkNodes(t, lab.nodes);
  },
);

t.test("a disk that is full while tasks are added: none of them is accepted, and none is lost", { skip }, async (t) => {
  const job = makeQueue("full", 40, 0);
  disks.mount(job.run, "size=512k");
  const first = writeBatch(job, 0, job.chunks.slice(0, 20));
  const second = writeBatch(job, 1, job.chunks.slice(20), { env: { NOTE: "x".repeat(100_000) } });
  const add = (file: string) => runMuster(["add", job.file, file, "--out", job.run]);
  t.match(await add(first), { code: 0, out: /20 tasks added, 20 in all/ });
  const before = statSync(join(job.run, "queue.ndjson")).size;
  const full = await add(second);
  t.match(full, { code: 3, err: /cannot write to the run directory \S+: no space is left there\n +Free some space/ });
  t.notMatch(full.err, /bug in muster|\bat .*\.js:\d+/);
  t.equal(statSync(join(job.run, "queue.ndjson")).size, before, "the file is as it was");
  t.equal(await accepted(job), "20");
  disks.remount(job.run, "size=64m");
  t.match(await add(second), { code: 0, out: /20 tasks added, 40 in all/ });
  t.match(await runMuster(["add", job.run, "--close"]), { code: 0 });
  const ran = await job.muster(["-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {});
});

t.test("a torn record is cut off, a damaged one is named, and a lost index is built again", async (t) => {
  const job = makeQueue("torn", 9, 0);
  const file = join(job.run, "queue.ndjson");
  const add = (number: number) =>
    runMuster([
      "add",
      job.file,
      writeBatch(job, number, job.chunks.slice(3 * number, 3 * number + 3)),
      "--out",
      job.run,
    ]);
  t.match(await add(0), { code: 0 });
  const whole = readFileSync(file, "utf8");
  for (const torn of ['{"n":3,"e":"tasks","ta', '{"n":3,"e":"tasks","tasks":[],"crc":"00000000"}\n']) {
    execFileSync("sh", ["-c", 'printf %s "$1" >> "$2"', "sh", torn, file]);
    t.equal(await accepted(job), "3", "it is not read");
    t.match(await add(0), { code: 0, out: /0 tasks added, 3 were there/ });
    t.equal(readFileSync(file, "utf8"), whole, "it is cut off");
  }
  for (const [what, how] of [
    ["lost", 'rm "$1/queue.index"'],
    ["of something else", 'head -c 40000 /dev/urandom > "$1/queue.index"'],
    ["cut", 'head -c 200 "$1/queue.index" > "$1/x"; mv "$1/x" "$1/queue.index"'],
  ] as const) {
    execFileSync("sh", ["-c", how, "sh", job.run]);
    t.match(await add(0), { code: 0, out: /0 tasks added, 3 were there/ }, `an index that is ${what}`);
  }
  t.match(await add(1), { code: 0, out: /3 tasks added, 6 in all/ });
  execFileSync("sed", ["-i", '2s/"id":"n=1"/"id":"n=7"/', file]);
  execFileSync("rm", [join(job.run, "queue.index")]);
  t.match(await add(2), { code: 65, err: /queue\.ndjson: record 2 \(at byte \d+\) is damaged/ });
  t.match(await runMuster(["run", job.file, "--out", job.run, "-i", "local"]), {
    code: 65,
    err: /record 2 .* is damaged/,
  });
  t.equal(existsSync(join(job.run, "results.ndjson")), false);
});
