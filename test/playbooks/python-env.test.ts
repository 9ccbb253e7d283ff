import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startMuster, waitForExit } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { inventoryWith, listStates, runVerb, type VerbResult } from "./runverb.js";
import { lackingVenv, writeWheel } from "./wheelfile.js";

const { skip: noLab, lab, nodes } = await shareLab(t, { nodes: 1, gpus: 0, vendor: "none" }, "files of a node");
const skip = noLab || lackingVenv();
const [node] = nodes;

const ENV = "python env prng";
const HOME = "root/.venvs";

/** The inventory with one environment, whose requirements are `text`. */
function withEnv(text: string, keys: Record<string, unknown> = {}): string {
  const env = { requirements: "requirements.txt", find_links: "wheels", ...keys };
  const top = { python_envs: { prng: env }, playbooks: ["python-env"] };
  return inventoryWith(lab, { top }, { "requirements.txt": text });
}

function listDifferences(answer: VerbResult): string[] {
  return (answer.nodes[0]?.resources[0]?.differences ?? []).map(({ what, have, want }) => `${what}: ${have}, ${want}`);
}

const provision = (inventory: string) => runVerb(inventory, ["provision"]);
const verify = (inventory: string) => runVerb(inventory, ["verify"]);
const listEnvs = () =>
  readdirSync(join(node!.root, HOME))
    .filter((name) => /-[0-9a-f]{16}(-\d+)?$/.test(name))
    .sort();
const currentEnv = () => readlinkSync(join(node!.root, HOME, "prng"));
const python = async (code: string) => (await node!.exec(["/root/.venvs/prng/bin/python", "-c", code])).stdout.trim();

t.test("an environment from wheels: made, kept, upgraded, repaired", { skip, timeout: 300_000 }, async (t) => {
  const wheels = join(lab.folder, "wheels");
  writeWheel(wheels, { name: "sieve", version: "1.0", requires: ["digits>=2"] });
  writeWheel(wheels, { name: "sieve", version: "2.0", requires: ["digits>=2"] });
  writeWheel(wheels, { name: "digits", version: "2.5" });

  await t.test(
    "verify reports that it is missing; provision makes it; a second provision changes nothing",
    async (t) => {
      const inventory = withEnv("sieve==1.0  # the old one\n");
      const missing = await verify(inventory);
      t.equal(missing.code, 2, missing.err);
      t.same(listDifferences(missing), ["~/.venvs/prng: missing, a link to a Python environment"]);
      const made = await provision(inventory);
      t.equal(made.code, 0, made.out);
      t.same(listStates(made), { [ENV]: "changed" });
      t.equal(await python("import sieve, digits; print(sieve.VERSION, digits.VERSION)"), "1.0 2.5");
      const again = await provision(inventory);
      t.same(listStates(again), { [ENV]: "ok" });
      t.equal(again.nodes[0]!.fingerprint, made.nodes[0]!.fingerprint);
      t.same(listEnvs(), [currentEnv()]);
    },
  );

  await t.test("an upgrade keeps the previous environment; the way back takes it again", async (t) => {
    const old = currentEnv();
    const inventory = withEnv("sieve==2.0\n");
    t.same(listDifferences(await verify(inventory)), ["sieve: 1.0, ==2.0"]);
    t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
    const now = currentEnv();
    t.not(now, old);
    t.same(listEnvs(), [old, now].sort());
    t.equal(await python("import sieve; print(sieve.VERSION)"), "2.0");
    const back = withEnv("sieve==1.0  # the old one\n");
    t.same(listStates(await provision(back)), { [ENV]: "changed" });
    t.equal(currentEnv(), old);
    const third = withEnv("sieve==2.0\ndigits==2.5\n");
    t.same(listStates(await provision(third)), { [ENV]: "changed" });
    t.same(listEnvs(), [old, currentEnv()].sort(), "only the previous one is kept");
  });

  await t.test("a package that somebody uninstalled, or whose files are gone, is drift and repaired", async (t) => {
    const inventory = withEnv("sieve==2.0\n");
    await provision(inventory);
    await node!.exec(["sh", "-c", "cd /root && .venvs/prng/bin/python -m pip uninstall -y digits"]);
    const drift = await verify(inventory);
    t.equal(drift.code, 2);
    t.same(listDifferences(drift), ["digits: not installed, >=2 (for sieve)"]);
    const broken = currentEnv();
    t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
    t.equal(currentEnv(), `${broken}-2`, "beside the one that a chunk may use");
    rmSync(join(node!.root, HOME, currentEnv(), "lib/python3.11/site-packages/sieve.py"));
    t.same(listDifferences(await verify(inventory)), ["sieve: 2.0 without sieve.py, all of its files"]);
    t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
  });

  await t.test("a requirement without a wheel: the error has pip's last lines, and nothing is left", async (t) => {
    const before = [currentEnv(), listEnvs()];
    const failed = await provision(withEnv("sieve==3.0\n"));
    t.equal(failed.code, 3);
    const [row] = failed.nodes[0]!.resources;
    t.match(row, {
      state: "failed",
      reason: /^pip failed \(exit 1; its output is in \/root\/\.venvs\/\.prng\.log\): ERROR: /,
    });
    t.match(row!.reason, /No matching distribution found for sieve==3\.0/);
    t.match(row!.next, /find_links/);
    t.same([currentEnv(), listEnvs()], before);
  });

  await t.test("a build that was killed is recognised and done again", async (t) => {
    const inventory = withEnv("sieve==1.0\ndigits==2.5\n");
    const before = currentEnv();
    const running = startMuster(["provision", "-i", inventory]);
    const end = waitForExit(running);
    const builder = () => node!.processes().find(({ argv }) => argv.at(-1) === "build");
    await waitUntil("pip or venv runs", () => node!.processes().some(({ argv }) => argv.includes("venv")));
    process.kill(builder()!.pid, "SIGKILL");
    const killed = await end;
    t.equal(killed.code, 3, killed.out);
    t.equal(currentEnv(), before);
    const partial = readdirSync(join(node!.root, HOME)).filter((name) => name.endsWith(".partial"));
    t.equal(partial.length, 1);
    t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
    t.same(
      readdirSync(join(node!.root, HOME)).filter((name) => name.endsWith(".partial")),
      [],
    );
    t.equal(await python("import sieve; print(sieve.VERSION)"), "1.0");
    t.same(await node!.quiet(5), []);
  });

  await t.test("a build ends with its coordinator", async (t) => {
    const inventory = withEnv("sieve==1.0\ndigits>2\n");
    const running = startMuster(["provision", "-i", inventory]);
    const end = waitForExit(running);
    await waitUntil("venv runs", () => node!.processes().some(({ argv }) => argv.includes("venv")));
    running.kill("SIGKILL");
    await end;
    t.same(await node!.quiet(10), []);
    t.same(
      readdirSync(join(node!.root, HOME)).filter((name) => name.endsWith(".partial")),
      [],
    );
    t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
  });

  await t.test("a full disk: the error says so, and nothing is left of the build", async (t) => {
    await node!.exec(["sh", "-c", "mkdir /srv/small && mount -t tmpfs -o size=4m tmpfs /srv/small"]);
    const full = await provision(withEnv("sieve==1.0\n", { at: "/srv/small/prng" }));
    t.match(full.nodes[0]!.resources[0], {
      state: "failed",
      reason: /: no space left on the disk of \/srv\/small$/,
      next: "Free some space there.",
    });
    const left = readdirSync(join(node!.root, "srv/small")).sort();
    t.same(left, [".prng-wheels", ".prng.lock", ".prng.log"]);
  });

  await t.test("what muster did not make is never touched", async (t) => {
    const inventory = withEnv("sieve==1.0\n", { at: "~/.venvs/own" });
    await node!.exec(["mkdir", "-p", "/root/.venvs/own/bin"]);
    writeFileSync(join(node!.root, HOME, "own/mine.txt"), "mine");
    t.same(listDifferences(await verify(inventory)), [
      "~/.venvs/own: something that muster did not make, a link to a Python environment",
    ]);
    const refused = await provision(inventory);
    t.match(refused.nodes[0]!.resources[0], { state: "failed", reason: /own is there, and muster did not make it/ });
    t.same(readdirSync(join(node!.root, HOME, "own")).sort(), ["bin", "mine.txt"]);
  });

  await t.test("a Python that is missing, that changed, or that has no venv", async (t) => {
    const unknown = withEnv("sieve==1.0\n", { python: "python3.99" });
    t.same(listDifferences(await verify(unknown)), [
      "python3.99: cannot be used: No such file or directory, a Python interpreter",
    ]);
    t.match((await provision(unknown)).nodes[0]!.resources[0], {
      state: "failed",
      reason: /^python3\.99 cannot be used/,
      next: /^Install python3\.99 there/,
    });
    const inventory = withEnv("sieve==2.0\n");
    await provision(inventory);
    const marker = join(node!.root, HOME, currentEnv(), "muster-env.json");
    await node!.exec([
      "sed",
      "-i",
      's/"python": "[^"]*"/"python": "3.8.1"/',
      `/root/.venvs/${currentEnv()}/muster-env.json`,
    ]);
    t.match(listDifferences(await verify(inventory)), [/^python: 3\.8\.1, 3\./]);
    rmSync(marker);
    t.same(listDifferences(await verify(inventory)), ["~/.venvs/prng: incomplete, a Python environment"]);
  });
});

/** A build backend (PEP 517, PEP 660) that needs no other package. */
const BACKEND = `import os, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "mine-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("mine.pth", os.path.join(os.getcwd(), "src") + "\\n")
        wheel.writestr("mine-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1.0\\nRequires-Dist: digits\\n")
        wheel.writestr("mine-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("mine-1.0.dist-info/RECORD", "mine.pth,,\\n")
    return name
`;
const PROJECT = {
  "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
  "backend.py": BACKEND,
};

t.test("the project itself is installed, one environment per content of it", { skip, timeout: 120_000 }, async (t) => {
  const project = join(lab.folder, "project");
  mkdirSync(join(project, "src"), { recursive: true });
  for (const [path, text] of Object.entries(PROJECT)) writeFileSync(join(project, path), text);
  writeFileSync(join(project, "requirements.txt"), "sieve\n");
  writeFileSync(join(project, "src/mine.py"), "import digits, sieve\nANSWER = 1\n");
  const inventory = withEnv("", { requirements: "project/requirements.txt", editable: true, at: "~/.venvs/mine" });
  t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
  const ask = async () =>
    (await node!.exec(["/root/.venvs/mine/bin/python", "-c", "import mine; print(mine.ANSWER)"])).stdout;
  t.equal(await ask(), "1\n");
  t.equal((await verify(inventory)).code, 0);
  writeFileSync(join(project, "src/mine.py"), "import digits, sieve\nANSWER = 2\n");
  t.match(listDifferences(await verify(inventory)), [/^requirements: content [0-9a-f]{12}, content/]);
  t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
  t.equal(await ask(), "2\n");
  await node!.exec(["sh", "-c", "rm -r /root/.venvs/mine/lib/python3*/site-packages/mine-1.0.dist-info"]);
  t.same(listDifferences(await verify(inventory)), ["the project: not installed, installed from its copy"]);
});

/** Stands for a tool that this machine lacks: records its words, and makes the environment with venv and pip. */
const FAKE_UV = `#!/bin/sh
echo "uv $*" >>/root/tool.log
if [ "$1" = venv ]; then exec "$4" -m venv "$5"; fi
python=$4; shift 4
exec "$python" -m pip install "$@"
`;
const FAKE_CONDA = `#!/bin/sh
echo "micromamba $*" >>/root/tool.log
mkdir -p "$4/bin"
ln -s /usr/bin/python3 "$4/bin/python"
`;

t.test("uv and micromamba are used where they are installed", { skip, timeout: 120_000 }, async (t) => {
  const tool = (name: string, text: string) =>
    writeFileSync(join(node!.root, "usr/local/bin", name), text, { mode: 0o755 });
  const words = () => readFileSync(join(node!.root, "root/tool.log"), "utf8").trim().split("\n");
  tool("uv", FAKE_UV);
  const made = await provision(withEnv("sieve==1.0\n", { at: "~/.venvs/fast" }));
  t.same(listStates(made), { [ENV]: "changed" }, made.out);
  t.match(words(), [
    /^uv venv --allow-existing --python \/usr\/bin\/python3\S* \/root\/\.venvs\/\.fast-[0-9a-f]{16}$/,
    /^uv pip install --python \S+\/bin\/python --no-index --find-links \/root\/\.venvs\/\.fast-wheels -r \S+$/,
  ]);
  writeFileSync(join(lab.folder, "environment.yml"), "dependencies: [python=3.11]\n");
  const top = { python_envs: { prng: { conda: "environment.yml" } }, playbooks: ["python-env"] };
  const inventory = inventoryWith(lab, { top });
  rmSync(join(node!.root, HOME, "prng"), { force: true });
  t.match((await provision(inventory)).nodes[0]!.resources[0], {
    state: "failed",
    reason: "none of micromamba, mamba, conda is installed there",
    next: /^Install micromamba there/,
  });
  tool("micromamba", FAKE_CONDA);
  t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
  t.match(
    words().at(-1),
    /^micromamba create -y -p \/root\/\.venvs\/\.prng-[0-9a-f]{16} -f \/root\/\.venvs\/\.prng-environment\.yml$/,
  );
  t.equal((await verify(inventory)).code, 0);
});

t.test("a Python without venv: the package to install is named", { skip, timeout: 60_000 }, async (t) => {
  rmSync(join(node!.root, "usr/local/bin/uv"), { force: true });
  await node!.exec(["sh", "-c", "rm -r /usr/lib/python3*/ensurepip"]);
  t.match((await provision(withEnv("sieve==1.0\n", { at: "~/.venvs/none" }))).nodes[0]!.resources[0], {
    state: "failed",
    reason: /has no module ensurepip$/,
    next: /sudo apt-get install python3\.\d+-venv/,
  });
});
