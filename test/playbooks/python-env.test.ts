import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startMuster, waitForExit } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { EnvLab, listDifferences, provision, verify } from "./envlab.js";
import { listStates } from "./runverb.js";
import { lackingVenv, writeWheel } from "./wheelfile.js";

const { skip: noLab, lab, nodes } = await shareLab(t, { nodes: 1, gpus: 0, vendor: "none" }, "files of a node");
const skip = noLab || lackingVenv();
const [node] = nodes;

const env = new EnvLab(lab, node!);
const ENV = EnvLab.RESOURCE;

t.test("an environment from wheels: made, kept, upgraded, repaired", { skip, timeout: 280_000 }, async (t) => {
  const wheels = join(lab.folder, "wheels");
  writeWheel(wheels, { name: "sieve", version: "1.0", requires: ["digits>=2"] });
  writeWheel(wheels, { name: "sieve", version: "2.0", requires: ["digits>=2"] });
  writeWheel(wheels, { name: "digits", version: "2.5" });

  await t.test(
    "verify reports that it is missing; provision makes it; a second provision changes nothing",
    async (t) => {
      const inventory = env.withEnv("sieve==1.0  # the old one\n");
      const missing = await verify(inventory);
      t.equal(missing.code, 2, missing.err);
      t.same(listDifferences(missing), ["~/.venvs/prng: missing, a link to a Python environment"]);
      const made = await provision(inventory);
      t.equal(made.code, 0, made.out);
      t.same(listStates(made), { [ENV]: "changed" });
      t.equal(await env.python("import sieve, digits; print(sieve.VERSION, digits.VERSION)"), "1.0 2.5");
      const again = await provision(inventory);
      t.same(listStates(again), { [ENV]: "ok" });
      t.equal(again.nodes[0]!.fingerprint, made.nodes[0]!.fingerprint);
      t.same(env.listEnvs(), [env.currentEnv()]);
    },
  );

  await t.test("an upgrade keeps the previous environment; the way back takes it again", async (t) => {
    const old = env.currentEnv();
    const inventory = env.withEnv("sieve==2.0\n");
    t.same(listDifferences(await verify(inventory)), ["sieve: 1.0, ==2.0"]);
    t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
    const now = env.currentEnv();
    t.not(now, old);
    t.same(env.listEnvs(), [old, now].sort());
    t.equal(await env.python("import sieve; print(sieve.VERSION)"), "2.0");
    const back = env.withEnv("sieve==1.0  # the old one\n");
    t.same(listStates(await provision(back)), { [ENV]: "changed" });
    t.equal(env.currentEnv(), old);
  });

  await t.test("a package that somebody uninstalled, or whose files are gone, is drift and repaired", async (t) => {
    const inventory = env.withEnv("sieve==2.0\n");
    await provision(inventory);
    await node!.exec(["sh", "-c", "cd /root && .venvs/prng/bin/python -m pip uninstall -y digits"]);
    const drift = await verify(inventory);
    t.equal(drift.code, 2);
    t.same(listDifferences(drift), ["digits: not installed, >=2 (for sieve)"]);
    const broken = env.currentEnv();
    t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
    t.equal(env.currentEnv(), `${broken}-2`, "beside the one that a chunk may use");
    rmSync(join(env.home, env.currentEnv(), "lib/python3.11/site-packages/sieve.py"));
    t.same(listDifferences(await verify(inventory)), ["sieve: 2.0 without sieve.py, all of its files"]);
  });

  await t.test("a requirement without a wheel: the error has pip's last lines, and nothing is left", async (t) => {
    const before = [env.currentEnv(), env.listEnvs()];
    const failed = await provision(env.withEnv("sieve==3.0\n"));
    t.equal(failed.code, 3);
    const [row] = failed.nodes[0]!.resources;
    t.match(row, {
      state: "failed",
      reason: /^pip failed \(exit 1; its output is in \/root\/\.venvs\/\.prng\.log\): ERROR: /,
    });
    t.match(row!.reason, /No matching distribution found for sieve==3\.0/);
    t.match(row!.next, /find_links/);
    t.same([env.currentEnv(), env.listEnvs()], before);
  });

  await t.test("a build that was killed is recognised and done again", async (t) => {
    const inventory = env.withEnv("sieve==1.0\ndigits==2.5\n");
    const before = env.currentEnv();
    const running = startMuster(["provision", "-i", inventory]);
    const end = waitForExit(running);
    const builder = () => node!.processes().find(({ argv }) => argv.at(-1) === "build");
    await waitUntil("pip or venv runs", () => node!.processes().some(({ argv }) => argv.includes("venv")));
    process.kill(builder()!.pid, "SIGKILL");
    const killed = await end;
    t.equal(killed.code, 3, killed.out);
    t.equal(env.currentEnv(), before);
    const partial = readdirSync(env.home).filter((name) => name.endsWith(".partial"));
    t.equal(partial.length, 1);
    t.same(listStates(await provision(inventory)), { [ENV]: "changed" });
    t.same(
      readdirSync(env.home).filter((name) => name.endsWith(".partial")),
      [],
    );
    t.equal(await env.python("import sieve; print(sieve.VERSION)"), "1.0");
    t.same(env.listEnvs(), [before, env.currentEnv()].sort(), "only the previous one is kept");
    t.same(await node!.quiet(20), []);
  });

  await t.test("a build ends with its coordinator", async (t) => {
    const inventory = env.withEnv("sieve==1.0\ndigits>2\n");
    const running = startMuster(["provision", "-i", inventory]);
    const end = waitForExit(running);
    await waitUntil("venv runs", () => node!.processes().some(({ argv }) => argv.includes("venv")));
    running.kill("SIGKILL");
    await end;
    t.same(await node!.quiet(20), []);
    t.same(
      readdirSync(env.home).filter((name) => name.endsWith(".partial")),
      [],
    );
  });

  await t.test("a full disk: the error says so, and nothing is left of the build", async (t) => {
    await node!.exec(["sh", "-c", "mkdir /srv/small && mount -t tmpfs -o size=4m tmpfs /srv/small"]);
    const full = await provision(env.withEnv("sieve==1.0\n", { at: "/srv/small/prng" }));
    t.match(full.nodes[0]!.resources[0], {
      state: "failed",
      reason: /: no space left on the disk of \/srv\/small$/,
      next: "Free some space there.",
    });
    const left = readdirSync(join(node!.root, "srv/small")).sort();
    t.same(left, [".prng-wheels", ".prng.lock", ".prng.log"]);
  });
});
