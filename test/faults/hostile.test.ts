import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type MusterResult, startMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkNodes, checkResults, countRepeatedChunks } from "./checks.js";
import { KnownJob, watchMuster } from "./knownjob.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 4 }, "looking into nodes");

/** Runs muster and notes the most memory that it ever had, in bytes. */
async function measured(words: string[]): Promise<MusterResult & { memory: number }> {
  const { child, ended } = watchMuster(startMuster(words));
  let memory = 0;
  const timer = setInterval(() => {
    const status = `/proc/${child.pid}/status`;
    const peak = existsSync(status) ? /VmHWM:\s+(\d+)/.exec(readFileSync(status, "utf8")) : null;
    memory = Math.max(memory, Number(peak?.[1] ?? 0) * 1024);
  }, 10);
  const ran = await ended;
  clearInterval(timer);
  return { ...ran, memory };
}

/** What chunk n does; what r.json is in the end. */
const TRICKS = `import json, os, sys
n = sys.argv[1]
def good():
    json.dump(n, open("r.json", "w"))
def link(): os.symlink("/etc/passwd", "r.json")
def linkedfolder():
    os.rename("sub", "elsewhere"); os.symlink("elsewhere", "sub"); good()
def fifo(): os.mkfifo("r.json")
def folder(): os.makedirs("r.json/r.json")
def socket():
    import socket
    socket.socket(socket.AF_UNIX).bind("r.json")
def sparse(): os.truncate(os.open("r.json", os.O_CREAT | os.O_WRONLY), 10 << 30)
def outside():
    good()
    for path in ("../escaped", "../../escaped"): open(path, "w").write("x")
def names():
    good()
    for name in ("a\\nb", "\\x1b[31mred", "..x", "-rf", "'", '"', "\\udcff", "x" * 255): open(name, "w").write("x")
def deep():
    good()
    for _ in range(300):
        os.mkdir("d" * 100); os.chdir("d" * 100)
def locked():
    good()
    os.makedirs("locked/inner"); os.chmod("locked/inner", 0); os.chmod("locked", 0)
json.dump(n, open("sub/s.json", "w"))
globals()[n]()
`;
const GOOD = ["deep", "good", "locked", "names", "outside"];
const BAD: Record<string, RegExp> = {
  link: /exit code 0, but no output r\.json/,
  linkedfolder: /exit code 0, but no output sub\/s\.json/,
  fifo: /exit code 0, but no output r\.json/,
  folder: /exit code 0, but no output r\.json/,
  socket: /exit code 0, but no output r\.json/,
  sparse:
    /an output cannot be collected: it has 10\.0 GiB, more than the 4\.0 GiB that the job allows \(limits\.output\)/,
};

t.test(
  "outputs that are links, pipes, folders, 10 GB of holes, or outside of the work folder are refused",
  { skip },
  async (t) => {
    shop.write("tricks/worker.py", TRICKS);
    const job = shop.write("tricks/job.yaml", {
      name: "tricks",
      kind: "matrix",
      matrix: { trick: [...GOOD, ...Object.keys(BAD)] },
      script: "worker.py",
      args: ["{trick}"],
      outputs: ["r.json", "sub/s.json"],
      retry: { attempts: 1 },
    });
    const ran = await measured(["run", job, "-i", inventory, "--json"]);
    t.equal(ran.code, 3, ran.err);
    const run = join(shop.folder, "tricks/runs/tricks");
    const { failures } = JSON.parse(ran.out) as { failures: { chunk: string; reason: string }[] };
    const reasons = new Map(failures.map(({ chunk, reason }) => [chunk.slice("trick=".length), reason]));
    t.same([...reasons.keys()].sort(), Object.keys(BAD).sort());
    for (const [trick, reason] of Object.entries(BAD)) t.match(reasons.get(trick), reason, trick);
    t.same(
      readdirSync(join(run, "results")).sort(),
      GOOD.map((trick) => `trick=${trick}`),
    );
    for (const trick of GOOD) {
      t.same(readdirSync(join(run, "results", `trick=${trick}`)).sort(), ["r.json", "sub"]);
      t.equal(lstatSync(join(run, "results", `trick=${trick}`, "r.json")).isFile(), true);
      t.equal(readFileSync(join(run, "results", `trick=${trick}`, "r.json"), "utf8"), `"${trick}"`);
    }
    t.equal(existsSync(join(run, "escaped")), false);
    t.ok(ran.memory < 400 << 20, `${ran.memory >> 20} MiB of memory`);
    await checkNodes(t, lab.nodes);
  },
);

t.test("limits.output: a larger output fails its attempt, others do not", { skip }, async (t) => {
  const fits = new KnownJob(shop, "fits", { chunks: 2, size: 30_000, job: { limits: { output: "30000" } } });
  t.equal((await fits.muster(["-i", inventory])).code, 0);
  checkResults(t, fits);
  const tooLarge = new KnownJob(shop, "toolarge", {
    chunks: 2,
    size: 30_001,
    job: { limits: { output: "30000" }, retry: { attempts: 1 } },
  });
  const ran = await tooLarge.muster(["-i", inventory]);
  t.equal(ran.code, 3, ran.err);
  t.match(
    ran.out,
    /failed: 2 chunks: an output cannot be collected: it has 30001 B, more than the 30000 B that the job allows/,
  );
  t.same(readdirSync(join(tooLarge.run, "results")), []);
  await checkNodes(t, lab.nodes);
});

t.test(
  "chunks that print endlessly have their logs cut, which is reported, and memory stays small",
  { skip },
  async (t) => {
    shop.write(
      "chatter/w.py",
      "import os, time\nfor _ in range(30):\n    os.write(1, b'spam and eggs\\n' * 300_000)\n    time.sleep(0.05)\nos.write(1, b'the last line\\n')\nos.write(2, b'no trouble\\n')\nopen('r.json', 'w').write('1')\n",
    );
    const job = shop.write("chatter/job.yaml", {
      name: "chatter",
      kind: "matrix",
      matrix: { n: [0, 4] },
      script: "w.py",
      args: [],
      outputs: ["r.json"],
    });
    const ran = await measured(["run", job, "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    t.match(ran.out, /the output of 4 attempts was truncated to 16\.0 MiB per log; the files in logs\/ say where/);
    const run = join(shop.folder, "chatter/runs/chatter");
    t.match(JSON.parse(readFileSync(join(run, "summary.json"), "utf8")), { cutLogs: 4 });
    const log = readFileSync(join(run, "logs/n=0.out"), "utf8");
    t.ok(log.length <= 16 << 20, `${log.length} bytes are kept of 126,000,014`);
    t.ok(log.startsWith("spam and eggs\n"));
    t.match(log, /\n\[muster: this log grew past 16777216 bytes; its middle was dropped\]\n/);
    t.ok(log.endsWith("spam and eggs\nthe last line\n"));
    t.equal(readFileSync(join(run, "logs/n=0.err"), "utf8"), "no trouble\n");
    t.ok(ran.memory < 400 << 20, `${ran.memory >> 20} MiB of memory`);
    await checkNodes(t, lab.nodes);
  },
);

t.test(
  "a result that is altered on its node after it was hashed is never published, but computed again",
  { skip },
  async (t) => {
    const job = new KnownJob(shop, "altered", {
      chunks: 1,
      size: 50_000,
      gate: true,
      job: { retry: { backoff: "50ms" } },
    });
    const { child, ended, stderr: said } = job.start(["-i", inventory, "-v"]);
    await waitUntil("it runs", () => job.listExecutions(lab.nodes).length === 1);
    child.kill("SIGSTOP");
    job.openGate(lab.nodes);
    const node = lab.nodes.find((one) => job.listExecutions([one]).length === 1)!;
    const runs = join(node.root, "root/.muster/runs");
    const root = join(runs, readdirSync(runs)[0]!);
    await waitUntil("its result is hashed", () => readFileSync(join(root, "done.ndjson"), "utf8").includes('"sha256"'));
    const output = join(root, "a", readdirSync(join(root, "a"))[0]!, "work/r.json");
    writeFileSync(output, job.expected("n=0").replace(/.{5}"$/, 'XXXXX"'));
    child.kill("SIGCONT");
    const ran = await ended;
    t.equal(ran.code, 0, ran.err);
    t.match(
      said(),
      /chunk n=0: attempt 1 failed on \S+ slot \d: output r\.json: its bytes differ from those that the node hashed/,
    );
    checkResults(t, job);
    t.same(countRepeatedChunks(job, lab.nodes), { "n=0": 2 });
    await checkNodes(t, lab.nodes);
  },
);
