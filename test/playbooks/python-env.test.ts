import { readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
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
      reason: /^pip failed \(exit 1; its output is in \/root\/\.venvs\/\.prng\.log\)\n/,
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
    await node!.exec(["sh", "-c", "rm -r /usr/lib/python3*/ensurepip"]);
    t.match((await provision(inventory)).nodes[0]!.resources[0], {
      state: "failed",
      reason: /has no module ensurepip$/,
      next: /sudo apt-get install python3\.\d+-venv/,
    });
  });
});
