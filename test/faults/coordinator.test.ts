import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { waitForExit } from "../cli/startmuster.js";
import { listLeftovers } from "../lab/leftovers.js";
import { projectRoot } from "../lab/project.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, committedChunks, countRepeatedChunks, readJournal } from "./checks.js";
import { KnownJob, watchMuster } from "./knownjob.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 2 }, "looking into nodes");

t.test(
  "a coordinator stopped for longer than the lease (SIGSTOP) starts again what its nodes have removed",
  { skip },
  async (t) => {
    const short = lab.inventory({ file: "short.yaml", defaults: { lease: "5s", grace: "30s" } });
    const job = new KnownJob(shop, "asleep", { chunks: 40, seconds: 0.2 });
    const { child, ended, stderr: said } = job.start(["-i", short]);
    await waitUntil("some are committed", () => committedChunks(job.run).length >= 8);
    child.kill("SIGSTOP");
    const before = new Set(committedChunks(job.run));
    await waitUntil("the agents' lease is over", () =>
      lab.nodes.every((node) => listLeftovers(join(node.root, "root/.muster")).length === 0),
    );
    const begun = job.listExecutions(lab.nodes).length;
    child.kill("SIGCONT");
    const ran = await ended;
    t.equal(ran.code, 0, `${ran.err}${said()}`);
    checkResults(t, job);
    const again = countRepeatedChunks(job, lab.nodes);
    t.same(
      Object.keys(again).filter((chunk) => before.has(chunk)),
      [],
      "nothing that was committed was executed again",
    );
    t.ok(
      Object.values(again).every((times) => times === 2),
      "and the rest not more often than that once more",
    );
    t.ok(
      Object.keys(again).length <= begun - before.size,
      `${Object.keys(again).length} chunks were lost with the lease`,
    );
    await checkNodes(t, lab.nodes);
  },
);

t.test("a second coordinator is refused, is shown who holds the run, and disturbs nothing", { skip }, async (t) => {
  const job = new KnownJob(shop, "second", { chunks: 4, gate: true });
  const first = job.start(["-i", inventory]);
  await waitUntil("all chunks run", () => job.listExecutions(lab.nodes).length === 4);
  const journal = readFileSync(join(job.run, "journal.ndjson"));
  const second = await job.muster(["-i", inventory]);
  t.equal(second.code, 75);
  t.match(second.err, new RegExp(`runs/second is held by muster process ${first.child.pid} on \\S+, since \\d{4}-`));
  t.same(readFileSync(join(job.run, "journal.ndjson")), journal);
  job.openGate(lab.nodes);
  t.equal((await first.ended).code, 0);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {});
  await checkNodes(t, lab.nodes);
});

t.test(
  "a coordinator whose stdout and stderr are closed (EPIPE) finishes the run, with the right exit code",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "unread", { chunks: 12, seconds: 0.05 });
    const { child, ended } = job.start(["-i", inventory]);
    child.stdout!.destroy();
    child.stderr!.destroy();
    t.equal((await ended).code, 0);
    checkResults(t, job);
    const failing = new KnownJob(shop, "unreadfailing", {
      chunks: 2,
      job: { outputs: ["never"], retry: { attempts: 1 } },
    });
    const second = failing.start(["-i", inventory, "--json"]);
    second.child.stdout!.destroy();
    t.equal((await second.ended).code, 3, "not 0 where chunks failed");
    t.match(readJournal(failing.run).at(-1), { e: "close", state: "partial" });
    await checkNodes(t, lab.nodes);
  },
);

t.test("a coordinator works without environment, terminal, stdin and session, as under cron", { skip }, async (t) => {
  const job = new KnownJob(shop, "bare", { chunks: 12 });
  const words = [join(projectRoot(), "dist/bundle/cli/main.js"), "run", job.file, "-i", inventory];
  const bare = spawn("setsid", ["--wait", process.execPath, ...words], {
    env: {},
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ran = await watchMuster(bare).ended;
  t.equal(ran.code, 0, ran.err);
  t.notOk((ran.out + ran.err).includes("\u001b"), "nothing is redrawn or coloured");
  const closed = spawn("sh", ["-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", process.execPath, ...words, "--fresh"], {
    env: {},
    stdio: "ignore",
  });
  t.equal((await waitForExit(closed)).code, 0, "nor does it need any descriptor");
  checkResults(t, job);
  t.match(JSON.parse(readFileSync(join(`${job.run}-2`, "summary.json"), "utf8")), {
    state: "complete",
    chunks: { done: 12 },
  });
  await checkNodes(t, lab.nodes);
});

/** The wall clock is a day ahead, and falls two days back with the first result. What a file system says of time stays as it is. */
const WRONG_CLOCK = `import { existsSync, readdirSync } from "node:fs";
const { now } = Date;
const day = 86_400_000;
const results = process.env.CLOCK_RESULTS;
let fallen = false;
const shift = () => {
  fallen ||= existsSync(results) && readdirSync(results).length > 0;
  return fallen ? -day : day;
};
globalThis.Date = class extends Date {
  constructor(...words) {
    if (words.length === 0) super(now() + shift());
    else super(...words);
  }
  static now() {
    return now() + shift();
  }
};
`;

t.test("a coordinator's clock that is a day off and jumps affects only what is displayed", { skip }, async (t) => {
  const preload = shop.write("clock.mjs", WRONG_CLOCK);
  const job = new KnownJob(shop, "clock", {
    chunks: 40,
    seconds: 0.2,
    job: { timeout: "1h", retry: { backoff: "50ms" } },
  });
  const ran = await job.muster(["-i", inventory, "--json"], {
    NODE_OPTIONS: `--import=file://${preload}`,
    CLOCK_RESULTS: join(job.run, "results"),
  });
  t.equal(ran.code, 0, ran.err);
  const { session } = JSON.parse(ran.out);
  const opened = readJournal(job.run).find((entry) => entry.e === "open") as { at: string };
  t.ok(Date.parse(opened.at) > Date.now() + 80_000_000, "the clock was wrong indeed");
  t.ok(session.seconds > 1 && session.seconds < 600, `it took ${session.seconds} s`);
  checkResults(t, job);
  t.same(countRepeatedChunks(job, lab.nodes), {});
  await checkNodes(t, lab.nodes);
});

t.test(
  "other arguments or another input are refused with what differs, other project files are named, and nothing is changed",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "changed", { chunks: 4, job: { inputs: ["data.txt"] } });
    const folder = dirname(job.file);
    writeFileSync(join(folder, "data.txt"), "one");
    t.equal((await job.muster(["-i", inventory])).code, 0);
    const before = readFileSync(join(job.run, "journal.ndjson"));
    const worker = readFileSync(join(folder, "worker.py"));
    const whole = readFileSync(job.file, "utf8");
    const refused = async (what: RegExp) => {
      const ran = await job.muster(["-i", inventory]);
      t.equal(ran.code, 65);
      t.match(ran.err, what);
      t.match(ran.err, /--fresh/);
    };
    writeFileSync(join(folder, "data.txt"), "two");
    await refused(
      /runs\/changed holds a run of another job or of other inputs:\n\s+data\.txt: its content has changed/,
    );
    writeFileSync(join(folder, "data.txt"), "one");
    writeFileSync(join(folder, "worker.py"), `${worker}\n`);
    const resumed = await job.muster(["-i", inventory]);
    t.match(resumed, {
      code: 0,
      out: /already complete/,
      err: /project files changed since .*: worker\.py\..*--fresh/,
    });
    writeFileSync(join(folder, "worker.py"), worker);
    writeFileSync(job.file, whole.replace('"n": [', '"n": [1, ').replace(/(\[1, \s*)0,/, "$1"));
    await refused(/matrix: .* -> /);
    writeFileSync(job.file, whole.replace('"66"', '"67"'));
    await refused(/args: .* -> /);
    writeFileSync(job.file, whole);
    t.same(readFileSync(join(job.run, "journal.ndjson")), before);
    t.match(await job.muster(["-i", inventory]), { code: 0, out: /already complete/ });
    t.same(countRepeatedChunks(job, lab.nodes), {});
    await checkNodes(t, lab.nodes);
  },
);
