/**
 * Measures the seconds of `muster verify` and of an equivalent Ansible playbook on the same nodes in the same run. See
 * bench/README.md.
 *     npm run bench:verify [-- NODES...]
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Lab, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { cleanHosts, closePlay, installAnsible, runPlay, writePlay } from "./ansible.js";
import { runTimed, type TimedRun } from "./timedrun.js";

const PLAYBOOKS = ["rocm-env", "kernel-params", "ramdisk", "files", "manifest-sync", "python", "session", "gpu"];
const PASSES = 5;
const FILES: Record<string, string> = {
  "data/train_history.json": `{"history": "${"t".repeat(28_000)}"}\n`,
  "data/holdout_history.json": `{"history": "${"h".repeat(7000)}"}\n`,
  ...Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`conf/manifest${n}.json`, `{"n": ${n}}\n`])),
};
const ON_NODES = {
  "run.sh": "#!/bin/bash\nCHUNK_SIZE=1000\n",
  "full.json": '{"default_params": {"chunk_size": 1000}}\n',
};

const sizes = process.argv.slice(2).map(Number);
if (sizes.some((nodes) => !Number.isInteger(nodes) || nodes < 1 || nodes > 100)) {
  console.error("usage: npm run bench:verify [-- NODES...]   (1 to 100 each; default 4 20)");
  process.exit(64);
}

async function main(): Promise<void> {
  installAnsible();
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const seconds: [nodes: number, muster: number][] = [];
  for (const nodes of sizes.length > 0 ? sizes : [4, 20]) seconds.push([nodes, await contest(nodes)]);
  const [first, last] = [seconds[0]!, seconds.at(-1)!];
  if (last[0] > first[0]) {
    const each = (1000 * (last[1] - first[1])) / (last[0] - first[0]);
    console.log(`muster, each further node: ${each.toFixed(0)} ms`);
  }
}

/** Runs both on a lab of `nodes` nodes. Returns the seconds of muster. */
async function contest(nodes: number): Promise<number> {
  const lab = await startLab({ nodes, gpus: 8, vendor: "amd" });
  try {
    const inventory = prepare(lab);
    const verify = () => muster("verify", inventory);
    const provisioned = await muster("provision", inventory);
    if (provisioned.code !== 0) throw new Error(`provision: exit ${provisioned.code}\n${provisioned.stdout}`);
    const folder = writePlay(lab, FILES);
    const play = () => runPlay(lab, folder);
    const ours = await median(verify, ({ code }) => code === 0);
    const theirs = await median(play, ({ code, stdout }) => code === 0 && cleanHosts(stdout) === nodes);
    await bothSee(lab, nodes, verify, play);
    closePlay(lab);
    const figures = `muster verify ${ours.toFixed(2)} s   ansible --check --diff ${theirs.toFixed(2)} s`;
    console.log(`${String(nodes).padStart(3)} nodes   ${figures}   ${(theirs / ours).toFixed(1)} times as fast`);
    return ours;
  } finally {
    await lab.stop();
  }
}

function prepare(lab: Lab): string {
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(join(lab.folder, path, ".."), { recursive: true });
    writeFileSync(join(lab.folder, path), text);
  }
  for (const node of lab.nodes)
    for (const [name, text] of Object.entries(ON_NODES)) writeFileSync(join(node.root, "root", name), text);
  return lab.inventory({
    node: { python_modules: ["json", "ssl"] },
    top: {
      playbooks: PLAYBOOKS,
      ramdisk: { "/dev/shm/prng/step3": ["data/train_history.json", "data/holdout_history.json"] },
      files: { "~/conf/": "conf/" },
      manifests: {
        chunk_size: {
          value: 1000,
          in: [
            { file: "~/run.sh", assignment: "CHUNK_SIZE" },
            { file: "~/full.json", pointer: "/default_params/chunk_size" },
          ],
        },
      },
    },
  });
}

function muster(verb: string, inventory: string): Promise<TimedRun> {
  return runTimed([join(projectRoot(), "muster"), verb, "--diff", "-i", inventory], { limit: 600 });
}

/** Returns the median of several passes after a warm-up. Throws if a pass does not find every node in sync. */
async function median(pass: () => Promise<TimedRun>, isRight: (ran: TimedRun) => boolean): Promise<number> {
  const seconds: number[] = [];
  for (let n = 0; n <= PASSES; n++) {
    const ran = await pass();
    if (!isRight(ran)) throw new Error(`exit ${ran.code}\n${ran.stdout.slice(-4000)}\n${ran.stderr}`);
    if (n > 0) seconds.push(ran.seconds);
  }
  return seconds.sort((a, b) => a - b)[PASSES >> 1]!;
}

/** Checks that both find a file that was changed on one node. */
async function bothSee(
  lab: Lab,
  nodes: number,
  ours: () => Promise<TimedRun>,
  theirs: () => Promise<TimedRun>,
): Promise<void> {
  appendFileSync(join(lab.nodes[0]!.root, "root/conf/manifest1.json"), "changed\n");
  const [muster, ansible] = [await ours(), await theirs()];
  if (muster.code !== 2 || cleanHosts(ansible.stdout) !== nodes - 1)
    throw new Error("one of them did not see a changed file");
}

await main();
