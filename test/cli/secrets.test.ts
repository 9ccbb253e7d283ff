import { createHash } from "node:crypto";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import t from "tap";
import { loadJob } from "../../executor/job/loadjob.js";
import { readJournal } from "../faults/checks.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { type MusterResult, runMuster, startMuster } from "./startmuster.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: ["rig"], gpus: 0 }, "looking into nodes");
const node = nodes[0]!;

/** No value occurs as part of another word. */
const SECRETS = {
  JOB_TOKEN: "qJobTokenq",
  FILE_TOKEN: "qFileTokenq",
  TASK_TOKEN: "qTaskTokenq",
  NODE_TOKEN: "qNodeTokenq",
  PATH: "/qPathq:/usr/bin:/bin",
};
/** Prints hashes of its secrets and waits for the gate. `small` is sent with the message, `large` is pulled. */
const WORKER = `import hashlib, os, sys, time
while os.path.exists("/var/tmp/gate"): time.sleep(0.02)
seen = {name: hashlib.sha256(value.encode()).hexdigest() for name, value in os.environ.items() if name.endswith("_TOKEN")}
open("small", "w").write("\\n".join(name + " " + seen[name] for name in sorted(seen)))
open("large", "wb").write(os.urandom(1 << 20))
print("x" * (1 << 17 if sys.argv[1] == "good" else 1))
sys.exit(0 if sys.argv[1] == "good" else 9)
`;
shop.write("job/worker.py", WORKER);
const run = join(shop.folder, "job/runs/secret");
const envFile = shop.write(
  "secrets/job.env",
  `# of the job\nFILE_TOKEN=${SECRETS.FILE_TOKEN}\nJOB_TOKEN=overridden\n`,
  0o600,
);
const file = writeJob(0o644);
const inventory = skip ? "" : lab.inventory({ node: { env: { NODE_TOKEN: SECRETS.NODE_TOKEN } } });

function writeJob(mode: number, token = SECRETS.JOB_TOKEN): string {
  const path = shop.write("job/job.yaml", {
    name: "secret",
    kind: "tasks",
    script: "worker.py",
    env_file: "../secrets/job.env",
    env: { JOB_TOKEN: token },
    retry: { attempts: 1 },
    tasks: [
      { id: "good", args: ["good"], outputs: ["small", "large"], env: { TASK_TOKEN: SECRETS.TASK_TOKEN } },
      { id: "bad", args: ["bad"] },
      { id: "none", command: ["no-such-program"], env: { PATH: SECRETS.PATH } },
    ],
  });
  chmodSync(path, mode);
  return path;
}

/** Returns the secrets that occur in a text. */
function leaked(text: string | Buffer): string[] {
  return [...Object.values(SECRETS), "overridden"].filter((secret) => text.includes(secret));
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

const mode = (path: string) => statSync(path).mode & 0o777;

/** Runs muster with this umask, which its child inherits. */
async function withUmask(umask: number, words: string[]): Promise<MusterResult> {
  const before = process.umask(umask);
  const ran = runMuster(words);
  process.umask(before);
  return ran;
}

t.test("values of env reach the chunks and nothing else", { skip }, async (t) => {
  writeFileSync(join(node.root, "var/tmp/gate"), "");
  const child = startMuster(["run", file, "-i", inventory]);
  let reported = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (bytes) => (reported += bytes));
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  const isWorker = ({ argv }: { argv: string[] }) => argv.some((word) => word.endsWith("worker.py"));
  await waitUntil("a chunk waits", () => node.processes().some(isWorker));
  t.same(leaked(JSON.stringify(node.processes())), [], "no command line of the node");
  const here = readFileSync(`/proc/${child.pid}/cmdline`);
  t.same(leaked(here), [], "none here");
  const onNode = filesUnder(join(node.root, "root/.muster"));
  t.ok(onNode.some((path) => path.endsWith("done.ndjson")));
  t.same(
    onNode.filter((path) => leaked(readFileSync(path)).length > 0),
    [],
    "no file of the node",
  );
  rmSync(join(node.root, "var/tmp/gate"));
  t.equal(await closed, 3, reported);

  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const { FILE_TOKEN, JOB_TOKEN, NODE_TOKEN, TASK_TOKEN } = SECRETS;
  const seen = Object.entries({ FILE_TOKEN, JOB_TOKEN, NODE_TOKEN, TASK_TOKEN }).map(
    ([name, value]) => `${name} ${hash(value)}`,
  );
  t.equal(readFileSync(join(run, "results/small"), "utf8"), seen.join("\n"), "the chunk has all of them");

  t.match(reported, /no such program in PATH=\(as env sets it\)/);
  t.same(leaked(reported), [], "stdout and stderr");
  const copies = [join(run, "job.yaml")];
  const rates = readdirSync(lab.folder)
    .filter((name) => name.startsWith(".muster"))
    .map((name) => join(lab.folder, name));
  t.ok(rates.length > 0);
  const kept = [...filesUnder(run), ...rates].filter((path) => !copies.includes(path));
  t.ok(kept.some((path) => path.endsWith("logs/bad.out")) && kept.some((path) => path.endsWith("summary.json")));
  t.same(
    kept.filter((path) => leaked(readFileSync(path)).length > 0),
    [],
    "no file of the run, nor the learned rates",
  );
});

t.test("no command shows values of env", { skip }, async (t) => {
  const page = join(shop.folder, "page.html");
  for (const words of [
    ["run", file, "-i", inventory, "--plan"],
    ["run", file, "-i", inventory, "--plan", "--json"],
    ["run", file, "-i", inventory, "--json"],
    ["report", run, "-v"],
    ["report", run, "--json"],
    ["report", run, "--html", page],
    ["status", run, "--json"],
    ["validate", file, inventory, "--json"],
    ["cancel", run],
  ]) {
    const { out, err } = await runMuster(words);
    t.same(leaked(out + err), [], words.join(" "));
  }
  t.same(leaked(readFileSync(page)), []);
});

t.test(
  "results have one mode however they were transferred; the journal is not more readable than the input files",
  { skip },
  async (t) => {
    for (const [umask, jobMode, wanted] of [
      [0o022, 0o644, { results: 0o644, journal: 0o600, copy: 0o644 }],
      [0o027, 0o600, { results: 0o640, journal: 0o600, copy: 0o600 }],
    ] as const) {
      writeJob(jobMode);
      const out = join(shop.folder, `modes-${umask}`);
      const { err } = await withUmask(umask, ["run", file, "-i", inventory, "--out", out]);
      for (const name of [
        "results/small",
        "results/large",
        "logs/good.out",
        "logs/bad.out",
        "results.ndjson",
        "summary.json",
      ])
        t.equal(mode(join(out, name)), wanted.results, `${name}: ${err}`);
      t.equal(mode(join(out, "journal.ndjson")), wanted.journal, "env_file has 0600");
      t.equal(mode(join(out, "job.yaml")), wanted.copy);
    }
    const plain = shop.write("plain/job.yaml", { kind: "range", range: [0, 4], command: ["true"] });
    await withUmask(0o022, ["run", plain, "-i", "local"]);
    t.equal(mode(join(shop.folder, "plain/runs/job/journal.ndjson")), 0o644, "without env_file it has the job file's");
    writeJob(0o644);
  },
);

t.test("a changed value is rejected by name only, also in an older run directory", { skip }, async (t) => {
  const again = () => runMuster(["run", file, "-i", inventory]);
  const ran = await again();
  t.equal(ran.code, 3, "the run continues");
  const refused = async (line: RegExp) => {
    const { code, err, out } = await again();
    t.equal(code, 65, err);
    t.match(err, line);
    t.same(leaked(err + out), []);
    t.notMatch(err, /qChanged/);
  };
  const change = async () => {
    writeFileSync(envFile, "FILE_TOKEN=qChangedq\n");
    await refused(/a run of another job or of other inputs:\n {4}tasks: good: env: FILE_TOKEN differs\n/);
    writeFileSync(envFile, `FILE_TOKEN=${SECRETS.FILE_TOKEN}\n`);
    writeJob(0o644, "qChangedq");
    await refused(/tasks: bad: env: JOB_TOKEN differs\n/);
    writeJob(0o644);
  };
  await change();
  makeOlder(run, loadJob(file).identity);
  t.match(readFileSync(join(run, "journal.ndjson"), "utf8"), SECRETS.JOB_TOKEN);
  await change();
  t.equal((await again()).code, 3, "an older run continues");
});

/** Replaces the first record of a journal by that of an older version: no salt, and values in plain text. */
function makeOlder(path: string, identity: string): void {
  const journal = join(path, "journal.ndjson");
  const [first, ...rest] = readFileSync(journal, "utf8").split("\n");
  const { n, crc: _, salt, ...entry } = JSON.parse(first!);
  if (salt === undefined) throw new Error("there is no salt");
  const body = `{"n":${n},${JSON.stringify({ ...entry, identity }).slice(1, -1)}`;
  const crc = crc32(body).toString(16).padStart(8, "0");
  writeFileSync(journal, [`${body},"crc":"${crc}"}`, ...rest].join("\n"));
}

t.test("a pipeline stores no values of env, and detects changed ones", async (t) => {
  const job = (token: string) =>
    shop.write(
      "pipe/job.yaml",
      { kind: "range", range: [0, 2], chunk: 2, command: ["true"], env: { JOB_TOKEN: token } },
      0o600,
    );
  job(SECRETS.JOB_TOKEN);
  const pipeline = shop.write("pipe/pipeline.yaml", {
    name: "pipe",
    steps: { one: { job: "job.yaml", when: "changed" } },
  });
  const stateOf = async () => {
    const { out, err } = await runMuster(["run", pipeline, "-i", "local", "--fresh", "--json"]);
    t.same(leaked(out + err), []);
    return JSON.parse(out).steps[0].state as string;
  };
  t.equal(await stateOf(), "complete");
  t.equal(await stateOf(), "unchanged");
  job("qChangedq");
  t.equal(await stateOf(), "complete");
  const runs = join(shop.folder, "pipe/runs");
  const kept = filesUnder(runs).filter((path) => !path.endsWith("job.yaml"));
  t.same(
    kept.filter((path) => leaked(readFileSync(path)).length > 0),
    [],
  );
  t.same(
    ["pipe/journal.ndjson", "pipe/one/journal.ndjson", "pipe/one/job.yaml"].map((name) => mode(join(runs, name))),
    [0o600, 0o600, 0o600],
  );
  t.ok(existsSync(join(runs, "pipe-2")));
  t.ok(readJournal(join(runs, "pipe/one")).length > 0);
});
