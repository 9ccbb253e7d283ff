import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { listLanguageServerProblems } from "../lab/languageserver.js";
import { shareLab } from "../lab/sharedlab.js";
import { startInTerminal, typeKeys } from "./pseudoterminal.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const { skip, lab } = await shareLab(t, { nodes: 2, gpus: 2, vendor: "amd" }, "nodes with GPUs to look at");

const init = (cwd: string, words: string[], env: Record<string, string> = {}) =>
  runMuster(["init", ...words], { cwd, env });

function newFolder(t: Test): string {
  const folder = new TestFolder();
  t.teardown(() => folder.remove());
  return folder.folder;
}

/** Writes an ssh configuration in which the nodes of the lab have their names. */
function writeSshConfig(folder: string): Record<string, string> {
  const hosts = lab.nodes.map(
    ({ name, host, port, user, identityFile }) =>
      `Host ${name}\n  HostName ${host}\n  Port ${port}\n  User ${user}\n  IdentityFile ${identityFile}\n  UserKnownHostsFile ${lab.knownHosts}\n`,
  );
  const file = join(folder, "ssh_config");
  writeFileSync(
    file,
    `${hosts.join("")}Host gone\n  HostName 127.0.0.1\n  Port 1\n  IdentityFile ${lab.nodes[0]!.identityFile}\n`,
  );
  return { MUSTER_SSH_CONFIG: file, SSH_AUTH_SOCK: "" };
}

t.test("an inventory of hosts of the ssh configuration can be used as it is", { skip }, async (t) => {
  const folder = newFolder(t);
  const env = writeSshConfig(folder);
  const [one, two] = lab.nodes.map(({ name }) => name) as [string, string];
  const made = await init(folder, ["inventory", one, two], env);
  t.match(made, { code: 0, out: "written: inventory.yaml\nnext: muster nodes\n" });
  const nodes = await runMuster(["nodes", "--json"], { cwd: folder, env });
  t.match(nodes, { code: 0 });
  t.match(JSON.parse(nodes.out).nodes, [
    { node: one, profile: "rx6600", gpus: [{ vendor: "amd" }, { vendor: "amd" }] },
    { node: two, profile: "rx6600" },
  ]);
  t.match(await runMuster(["verify", "gpu"], { cwd: folder, env }), { code: 0 }, "the PCI addresses are right");
  t.same(await listLanguageServerProblems(join(folder, "inventory.yaml")), []);
});

t.test("hosts that cannot be asked are told, and none of them is no inventory", { skip }, async (t) => {
  const folder = newFolder(t);
  const env = writeSshConfig(folder);
  const [one] = lab.nodes.map(({ name }) => name) as [string];
  const part = await init(folder, ["inventory", one, "gone", "-o", "part.yaml"], env);
  t.match(part, { code: 3, err: /gone: .*refuse/ });
  t.match(readFileSync(join(folder, "part.yaml"), "utf8"), /gone: \{\}\n {4}# It could not be asked: .*refuse/);
  t.match(await init(folder, ["inventory", "gone", "-o", "none.yaml"], env), { code: 69, err: /gone: .*refuse/ });
  t.notOk(existsSync(join(folder, "none.yaml")));
  const unnamed = await init(folder, ["inventory"], env);
  t.match(unnamed, { code: 64, err: /no hosts are named/ });
  t.match(unnamed.err, `~/.ssh/config has: ${one} `);
});

t.test("a cluster file of the Python coordinators becomes an inventory", { skip }, async (t) => {
  const folder = newFolder(t);
  const env = writeSshConfig(folder);
  const [one] = lab.nodes.map(({ name }) => name) as [string];
  const nodes = [{ hostname: one, gpu_count: 12, max_concurrent_script_jobs: 1, password: "secret" }];
  writeFileSync(join(folder, "distributed_config.json"), JSON.stringify({ nodes }));
  t.match(await init(folder, ["inventory", "--from", "distributed_config.json"], env), { code: 0 });
  const text = readFileSync(join(folder, "inventory.yaml"), "utf8");
  t.match(text, /gpus: 2\n/, "as many as there are");
  t.match(text, /max_concurrent: 1\n/);
  t.notMatch(text, /secret/);
});

for (const kind of ["range", "tasks", "matrix", "shards"])
  t.test(`a job of kind ${kind} runs as it is written`, async (t) => {
    const folder = newFolder(t);
    const made = await init(folder, ["job", "--kind", kind]);
    t.match(made, { code: 0, out: "written: job.yaml, worker.py\nnext: muster run -i local job.yaml\n" });
    const small = kind === "range" ? ["--range", "0:10000"] : [];
    t.match(await runMuster(["run", "-i", "local", "job.yaml", "--json", ...small], { cwd: folder }), { code: 0 });
    if (kind === "range") t.match(readFileSync(join(folder, "runs/job/hits.json"), "utf8"), /6,.*28,.*496,.*8128/s);
    if (kind === "shards") {
      const lines = readFileSync(join(folder, "runs/job/results.ndjson"), "utf8").trim().split("\n");
      const counts = lines.map((line) => JSON.parse(line).output.primes as number);
      t.same([counts.length, counts.reduce((sum, one) => sum + one)], [8, 17_984], "the primes below 200,000");
    }
    t.same(await listLanguageServerProblems(join(folder, "job.yaml")), []);
  });

t.test("a queue runs as it is written, with the command that is shown", async (t) => {
  const folder = newFolder(t);
  const made = await init(folder, ["job", "--kind", "queue"]);
  const add = `echo '{"id": "first"}' | muster add job.yaml -`;
  t.match(made, { code: 0, out: `written: job.yaml, worker.py\nnext: ${add} && muster run -i local job.yaml\n` });
  t.same(await listLanguageServerProblems(join(folder, "job.yaml")), []);
  const adding = startMuster(["add", "job.yaml", "-", "--close"], { cwd: folder });
  adding.stdin!.end('{"id": "first"}\n{"id": "short", "params": {"digits": 100}}\n');
  t.match(await waitForExit(adding), { code: 0, out: /2 tasks added/ });
  t.match(await runMuster(["run", "-i", "local", "job.yaml"], { cwd: folder }), { code: 0 });
  const digits = (task: string) => readFileSync(join(folder, "runs/job/results", task, "digits.txt"), "utf8").trim();
  t.equal(digits("first").length, 1002);
  t.match(digits("short"), /^3\.14159265358979\d+0679$/);
});

t.test("a pipeline comes with the job of its first step, and leaves a job that is there alone", async (t) => {
  const folder = newFolder(t);
  t.match(await init(folder, ["pipeline"]), { code: 0, out: /^written: pipeline\.yaml, job\.yaml, worker\.py\n/ });
  t.match(await runMuster(["validate", "pipeline.yaml"], { cwd: folder }), { code: 0 });
  t.same(await listLanguageServerProblems(join(folder, "pipeline.yaml")), []);
  t.match(await init(folder, ["pipeline", "-o", "other.yaml"]), { code: 0, out: /^written: other\.yaml\n/ });
});

t.test("a playbook needs a name of its own, and can be printed", async (t) => {
  const folder = newFolder(t);
  t.match(await init(folder, ["playbook", "a b"]), { code: 64, err: /cannot be the name of a playbook/ });
  t.match(await init(folder, ["playbook", "ramdisk"]), { code: 64, err: /muster has a playbook of this name/ });
  t.match(await init(folder, ["playbook", "a", "b"]), { code: 64, err: /takes one name/ });
  t.match(await init(folder, ["playbook", "-o", "-"]), {
    code: 0,
    out: /from "muster";[\s\S]*export default playbook;/,
  });
  t.match(await init(folder, ["--help"]), { code: 0, out: /muster init playbook workspace/ });
  t.notOk(existsSync(join(folder, "playbooks")));
});

t.test("the language server sees what is wrong", async (t) => {
  const folder = newFolder(t);
  await init(folder, ["job"]);
  const file = join(folder, "job.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replace("kind: range", "kind: ranges"));
  t.match(await listLanguageServerProblems(file), [/not accepted|range/]);
});

t.test("files that exist and wrong words are refused, and nothing is written", async (t) => {
  const folder = newFolder(t);
  writeFileSync(join(folder, "worker.py"), "mine");
  t.match(await init(folder, ["job"]), { code: 64, err: /worker\.py exists/ });
  t.notOk(existsSync(join(folder, "job.yaml")));
  t.match(await init(folder, ["job", "worker.py"]), { code: 0, out: /^written: job\.yaml\n/ });
  t.match(readFileSync(join(folder, "job.yaml"), "utf8"), /^name: worker\n[\s\S]*^script: "worker\.py"$/m);
  t.equal(readFileSync(join(folder, "worker.py"), "utf8"), "mine");
  t.match(await init(folder, ["job"]), { code: 64, err: /job\.yaml exists/ });
  t.match(await init(folder, ["jobs"]), { code: 64, err: /Name one of inventory, job, pipeline and playbook/ });
  t.match(await init(folder, ["job", "-o", "x.yaml", "--kind", "shard"]), { code: 64, err: /range, tasks, matrix/ });
  t.match(await init(folder, ["inventory", "--kind", "range"]), { code: 64, err: /--kind is for/ });
  t.match(await init(folder, ["inventory", "-o", "x.yaml", "a b"]), { code: 64, err: /\[USER@\]HOST\[:PORT\]/ });
  t.match(await init(folder, ["job", "-o", "-"]), { code: 0, out: /^# yaml-language-server: [\s\S]*kind: range/ });
  t.match(await init(folder, ["inventory", "--from", "none.json", "-o", "x.yaml"]), {
    code: 65,
    err: /none\.json does not exist/,
  });
});

/** Answers the question for hosts with keys, and resolves with what is on the terminal then. */
async function answerQuestion(t: Test, keys: string): Promise<{ code: number | null; screen: string; folder: string }> {
  const folder = newFolder(t);
  const child = startInTerminal(["init"], { cwd: folder, env: { MUSTER_SSH_CONFIG: join(folder, "none") } });
  t.teardown(() => child.kill());
  let isAsked = false;
  child.stdout!.on("data", (bytes) => {
    if (isAsked || !`${bytes}`.includes("separated by spaces: ")) return;
    isAsked = true;
    typeKeys(child, keys);
  });
  const { code, out } = await waitForExit(child);
  t.ok(isAsked, out);
  return { code, screen: out, folder };
}

for (const [name, keys, code, shown] of [
  ["Ctrl-C", "\u0003", -2, /separated by spaces: [^m]*$/],
  ["Ctrl-D", "\u0004", 64, /\n\r?muster: init inventory: no hosts are named/],
] as const)
  t.test(`the question for hosts ends with ${name}, and nothing is written`, async (t) => {
    const ended = await answerQuestion(t, keys);
    t.match(ended, { code: code < 0 ? 256 + code : code, screen: shown });
    t.notOk(existsSync(join(ended.folder, "inventory.yaml")));
  });
