import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { EnvLab, listDifferences, provision, verify } from "./envlab.js";
import { inventoryWith, listStates } from "./runverb.js";
import { lackingVenv, writeWheel } from "./wheelfile.js";

const { skip: noLab, lab, nodes } = await shareLab(t, { nodes: 1, gpus: 0, vendor: "none" }, "files of a node");
const skip = noLab || lackingVenv();
const [node] = nodes;

const env = new EnvLab(lab, node!);
const ENV = EnvLab.RESOURCE;

if (!skip) {
  const wheels = join(lab.folder, "wheels");
  writeWheel(wheels, { name: "sieve", version: "1.0", requires: ["digits>=2"] });
  writeWheel(wheels, { name: "digits", version: "2.5" });
}

t.test("paths and interpreters that cannot be used", { skip, timeout: 280_000 }, async (t) => {
  await t.test("what muster did not make is never touched", async (t) => {
    const inventory = env.withEnv("sieve==1.0\n", { at: "~/.venvs/own" });
    await node!.exec(["mkdir", "-p", "/root/.venvs/own/bin"]);
    writeFileSync(join(env.home, "own/mine.txt"), "mine");
    t.same(listDifferences(await verify(inventory)), [
      "~/.venvs/own: something that muster did not make, a link to a Python environment",
    ]);
    const refused = await provision(inventory);
    t.match(refused.nodes[0]!.resources[0], { state: "failed", reason: /own is there, and muster did not make it/ });
    t.same(readdirSync(join(env.home, "own")).sort(), ["bin", "mine.txt"]);
  });

  await t.test("a Python that is missing, that changed, or that has no venv", async (t) => {
    const unknown = env.withEnv("sieve==1.0\n", { python: "python3.99" });
    t.same(listDifferences(await verify(unknown)), [
      "python3.99: cannot be used: No such file or directory, a Python interpreter",
    ]);
    t.match((await provision(unknown)).nodes[0]!.resources[0], {
      state: "failed",
      reason: /^python3\.99 cannot be used/,
      next: /^Install python3\.99 there/,
    });
    const inventory = env.withEnv("sieve==1.0\ndigits==2.5\n");
    await provision(inventory);
    const marker = join(env.home, env.currentEnv(), "muster-env.json");
    await node!.exec([
      "sed",
      "-i",
      's/"python": "[^"]*"/"python": "3.8.1"/',
      `/root/.venvs/${env.currentEnv()}/muster-env.json`,
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

t.test("the project itself is installed, one environment per content of it", { skip, timeout: 280_000 }, async (t) => {
  const project = join(lab.folder, "project");
  mkdirSync(join(project, "src"), { recursive: true });
  for (const [path, text] of Object.entries(PROJECT)) writeFileSync(join(project, path), text);
  writeFileSync(join(project, "requirements.txt"), "sieve\n");
  writeFileSync(join(project, "src/mine.py"), "import digits, sieve\nANSWER = 1\n");
  const inventory = env.withEnv("", { requirements: "project/requirements.txt", editable: true, at: "~/.venvs/mine" });
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

t.test("uv and micromamba are used where they are installed", { skip, timeout: 280_000 }, async (t) => {
  const tool = (name: string, text: string) =>
    writeFileSync(join(node!.root, "usr/local/bin", name), text, { mode: 0o755 });
  const words = () => readFileSync(join(node!.root, "root/tool.log"), "utf8").trim().split("\n");
  tool("uv", FAKE_UV);
  const made = await provision(env.withEnv("sieve==1.0\n", { at: "~/.venvs/fast" }));
  t.same(listStates(made), { [ENV]: "changed" }, made.out);
  t.match(words(), [
    /^uv venv --allow-existing --python \/usr\/bin\/python3\S* \/root\/\.venvs\/\.fast-[0-9a-f]{16}$/,
    /^uv pip install --python \S+\/bin\/python --no-index --find-links \/root\/\.venvs\/\.fast-wheels -r \S+$/,
  ]);
  writeFileSync(join(lab.folder, "environment.yml"), "dependencies: [python=3.11]\n");
  const top = { python_envs: { prng: { conda: "environment.yml" } }, playbooks: ["python-env"] };
  const inventory = inventoryWith(lab, { top });
  rmSync(join(env.home, "prng"), { force: true });
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

t.test("a Python without venv: the package to install is named", { skip, timeout: 280_000 }, async (t) => {
  rmSync(join(node!.root, "usr/local/bin/uv"), { force: true });
  await node!.exec(["sh", "-c", "rm -r /usr/lib/python3*/ensurepip"]);
  t.match((await provision(env.withEnv("sieve==1.0\n", { at: "~/.venvs/none" }))).nodes[0]!.resources[0], {
    state: "failed",
    reason: /has no module ensurepip$/,
    next: /sudo apt-get install python3\.\d+-venv/,
  });
});
