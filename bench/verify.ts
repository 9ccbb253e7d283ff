/**
 * Measures the seconds of `muster verify` and of an equivalent Ansible playbook on the same nodes in the same run. See
 * bench/README.md.
 *     npm run bench:verify [-- [--delay MILLISECONDS] NODES...]
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Lab, startLab } from "../test/lab/lab.js";
import type { LabNode } from "../test/lab/labnode.js";
import { projectRoot } from "../test/lab/project.js";
import { DelayingProxy } from "../test/lab/proxy.js";
import {
  COMPARED_PLAYBOOKS,
  type ComparedPlaybook,
  cleanHosts,
  closePlay,
  installAnsible,
  type NodeAddress,
  runPlay,
  writePlay,
} from "./ansible.js";
import { runTimed, type TimedRun } from "./timedrun.js";
import { printStages } from "./verifystages.js";

const FEW_PLAYBOOKS: ComparedPlaybook[] = ["files", "manifest-sync", "python"];
const PASSES = 3;
const LARGEST_DELAY_MS = 1000;
const FILES: Record<string, string> = {
  "data/train_history.json": `{"history": "${"t".repeat(28_000)}"}\n`,
  "data/holdout_history.json": `{"history": "${"h".repeat(7000)}"}\n`,
  ...Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`conf/manifest${n}.json`, `{"n": ${n}}\n`])),
};
const ON_NODES = {
  "run.sh": "#!/bin/bash\nCHUNK_SIZE=1000\n",
  "full.json": '{"default_params": {"chunk_size": 1000}}\n',
};

const { values, positionals } = parseArgs({
  options: { delay: { type: "string", default: "0" } },
  allowPositionals: true,
});
const delayMs = Number(values.delay);
const sizes = positionals.map(Number);
if (
  sizes.some((nodes) => !Number.isInteger(nodes) || nodes < 1 || nodes > 100) ||
  !(delayMs >= 0 && delayMs <= LARGEST_DELAY_MS)
) {
  console.error("usage: npm run bench:verify [-- [--delay MILLISECONDS] NODES...]   (1 to 100 each; default 1 4 20)");
  process.exit(64);
}

async function main(): Promise<void> {
  installAnsible();
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  console.log(`round trips take ${delayMs} ms more than on this machine; medians of ${PASSES} passes`);
  for (const nodes of sizes.length > 0 ? sizes : [1, 4, 20]) await contest(nodes);
}

/** Runs both on a lab of `nodes` nodes, with few playbooks and with all. */
async function contest(nodes: number): Promise<void> {
  const lab = await startLab({ nodes, gpus: 8, vendor: "amd" });
  const proxies: DelayingProxy[] = [];
  try {
    for (const node of delayMs > 0 ? lab.nodes : []) proxies.push(await startProxy(lab, node));
    const addresses = delayMs > 0 ? proxies : lab.nodes;
    const inventory = prepare(lab, addresses);
    const provisioned = await muster(["provision"], inventory);
    if (provisioned.code !== 0) throw new Error(`provision: exit ${provisioned.code}\n${provisioned.stdout}`);
    const contests = [FEW_PLAYBOOKS, COMPARED_PLAYBOOKS];
    for (const playbooks of contests) await compare(lab, addresses, inventory, playbooks);
    await printStages(nodes, inventory, contests);
    closePlay(lab.folder, addresses);
  } finally {
    for (const proxy of proxies) await proxy.stop();
    await lab.stop();
  }
}

async function startProxy(lab: Lab, node: LabNode): Promise<DelayingProxy> {
  const proxy = await DelayingProxy.start(node, delayMs / 2);
  appendFileSync(lab.knownHosts, `[${proxy.host}]:${proxy.port} ${node.hostKey}\n`);
  return proxy;
}

async function compare(
  lab: Lab,
  addresses: readonly NodeAddress[],
  inventory: string,
  playbooks: readonly ComparedPlaybook[],
): Promise<void> {
  const nodes = lab.nodes.length;
  const verify = () => muster(["verify", ...playbooks], inventory);
  const folder = writePlay(lab, addresses, playbooks, FILES);
  const play = () => runPlay(lab.folder, folder, ["--check", "--diff"]);
  const ours = await median(verify, ({ code }) => code === 0);
  const theirs = await median(play, ({ code, stdout }) => code === 0 && cleanHosts(stdout) === nodes);
  await checkBothSee(lab, verify, play);
  const head = `${String(nodes).padStart(3)} nodes  ${playbooks.length} playbooks`;
  const figures = `muster verify ${ours.toFixed(2)} s   ansible --check --diff ${theirs.toFixed(2)} s`;
  console.log(`${head}   ${figures}   ${(theirs / ours).toFixed(1)} times as fast`);
}

function prepare(lab: Lab, addresses: readonly NodeAddress[]): string {
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(join(lab.folder, path, ".."), { recursive: true });
    writeFileSync(join(lab.folder, path), text);
  }
  for (const node of lab.nodes)
    for (const [name, text] of Object.entries(ON_NODES)) writeFileSync(join(node.root, "root", name), text);
  const reached = lab.nodes.map(({ name }, index) => [
    name,
    { host: addresses[index]!.host, port: addresses[index]!.port },
  ]);
  return lab.inventory({
    nodes: Object.fromEntries(reached),
    node: { python_modules: ["json", "ssl"] },
    top: {
      playbooks: COMPARED_PLAYBOOKS,
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

function muster(words: string[], inventory: string): Promise<TimedRun> {
  return runTimed([join(projectRoot(), "muster"), ...words, "--diff", "-i", inventory], { limit: 600 });
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

/** Checks that both find a file that was changed on one node, and restores it. */
async function checkBothSee(lab: Lab, ours: () => Promise<TimedRun>, theirs: () => Promise<TimedRun>): Promise<void> {
  const file = join(lab.nodes[0]!.root, "root/conf/manifest1.json");
  const content = readFileSync(file);
  appendFileSync(file, "changed\n");
  const [muster, ansible] = [await ours(), await theirs()];
  writeFileSync(file, content);
  if (muster.code !== 2 || cleanHosts(ansible.stdout) !== lab.nodes.length - 1)
    throw new Error("one of them did not see a changed file");
}

await main();
