/**
 * Measures what warm workers save: workers take 3 s to load and half a second for a chunk. See bench/README.md.
 *     npm run bench:warm [-- CHUNKS]
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Lab, startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { hasDask, SYSTEM_PYTHON } from "./localpools.js";
import { runMusterJob } from "./mustercontestant.js";
import { installPeers, openHosts } from "./parallel.js";
import { runTimed, type TimedRun } from "./timedrun.js";

const LOAD_SECONDS = 3;
const CHUNK_SECONDS = 0.5;
const [NODES, SLOTS_PER_NODE] = [4, 4];
const SLOTS = NODES * SLOTS_PER_NODE;
const LIMIT_SECONDS = 900;

const chunks = Number(process.argv[2] ?? 500);
if (!Number.isInteger(chunks) || chunks < 1 || chunks > 100_000) {
  console.error("usage: npm run bench:warm [-- CHUNKS]   (1 to 100000)");
  process.exit(64);
}

interface WarmScore {
  name: string;
  ran: TimedRun;
  /** The seconds without any overhead. */
  ideal: number;
  right: number;
}

const rounds = Math.ceil(chunks / SLOTS);
const IDEAL_WARM = LOAD_SECONDS + rounds * CHUNK_SECONDS;
const IDEAL_COLD = rounds * (LOAD_SECONDS + CHUNK_SECONDS);
const SOURCES = join(projectRoot(), "bench/warm");

function makeFolder(lab: Lab, name: string): string {
  const place = join(lab.folder, name);
  mkdirSync(join(place, "out"), { recursive: true });
  copyFileSync(join(SOURCES, "worker.py"), join(place, "worker.py"));
  return place;
}

function countRight(path: (n: number) => string): number {
  const isRight = (n: number) => existsSync(path(n)) && readFileSync(path(n), "utf8") === `${n}`;
  return Array.from({ length: chunks }, (_, n) => n).filter(isRight).length;
}

async function runMuster(lab: Lab, inventory: string, worker: "warm" | "process"): Promise<WarmScore> {
  const place = makeFolder(lab, `muster-${worker}`);
  const args = worker === "warm" ? ["{n}"] : ["cold", "{n}", "n.txt"];
  const job = { name: "warm", kind: "matrix", matrix: { n: [0, chunks] }, script: "worker.py", args, worker };
  writeFileSync(join(place, "job.yaml"), stringify({ ...job, project: "none", outputs: ["n.txt"] }));
  const ran = await runMusterJob(join(place, "job.yaml"), inventory, join(place, "run"), LIMIT_SECONDS);
  const right = countRight((n) => join(place, "run/results", `n=${n}`, "n.txt"));
  return { name: `muster, worker: ${worker}`, ran, ideal: worker === "warm" ? IDEAL_WARM : IDEAL_COLD, right };
}

async function runDask(lab: Lab): Promise<WarmScore> {
  const place = makeFolder(lab, "dask");
  const argv = [SYSTEM_PYTHON, join(SOURCES, "dask_pool.py"), `${chunks}`, `${SLOTS}`, join(place, "out")];
  const ran = await runTimed(argv, { limit: LIMIT_SECONDS });
  return {
    name: "Dask, a pool on this machine",
    ran,
    ideal: IDEAL_WARM,
    right: countRight((n) => join(place, `out/${n}`)),
  };
}

async function runParallel(lab: Lab): Promise<WarmScore> {
  const place = makeFolder(lab, "parallel");
  const closeHosts = openHosts(lab, place, () => SLOTS_PER_NODE, true);
  const files = ["--sshloginfile", "nodes", "--wd", "/tmp/parallel", "--basefile", "worker.py"];
  const command = "python3 worker.py cold {} out-{}";
  const argv = ["parallel", "--will-cite", ...files, "--return", "out-{}", "--cleanup", command];
  const stdin = Array.from({ length: chunks }, (_, n) => `${n}\n`).join("");
  const ran = await runTimed(argv, { cwd: place, limit: LIMIT_SECONDS, stdin, env: { HOME: lab.folder } });
  closeHosts();
  return {
    name: "GNU parallel, a process a chunk",
    ran,
    ideal: IDEAL_COLD,
    right: countRight((n) => join(place, `out-${n}`)),
  };
}

function formatLine({ name, ran, ideal, right }: WarmScore): string {
  const wrong = right === chunks ? "all right" : `ONLY ${right} RIGHT, exit ${ran.code}: ${ran.stderr.slice(-300)}`;
  const times = (ran.seconds / ideal).toFixed(2);
  return `${name.padEnd(34)} ${ran.seconds.toFixed(1).padStart(7)} s  ideal ${ideal.toFixed(1).padStart(6)} s  ${times}  ${wrong}`;
}

async function main(): Promise<void> {
  installPeers();
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  const lab = await startLab({
    nodes: NODES,
    gpus: SLOTS_PER_NODE,
    vendor: "amd",
    sshd: { MaxSessions: 100, MaxStartups: 200 },
  });
  try {
    const inventory = lab.inventory();
    console.log(`${chunks} chunks on ${NODES} nodes x ${SLOTS_PER_NODE} slots, real sshd on loopback`);
    const contests = [
      () => runMuster(lab, inventory, "warm"),
      ...(hasDask() ? [() => runDask(lab)] : []),
      () => runMuster(lab, inventory, "process"),
      () => runParallel(lab),
    ];
    for (const contest of contests) {
      const score = await contest();
      console.log(formatLine(score));
      if (score.right !== chunks && score.name.startsWith("muster")) process.exitCode = 1;
    }
    if (!hasDask()) console.log("Dask is left out: apt-get install python3-distributed");
  } finally {
    await lab.stop();
  }
}

await main();
