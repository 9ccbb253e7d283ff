/**
 * Measures the chunks a second of muster and of GNU parallel on the same nodes in the same run, beside local pools. See
 * bench/README.md.
 *     npm run bench:dispatch [-- CHUNKS]
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { startLab } from "../test/lab/lab.js";
import { projectRoot } from "../test/lab/project.js";
import { hasDask, runWritingPool } from "./localpools.js";
import { type DispatchScore, runMuster } from "./mustercontestant.js";
import { installPeers, runParallel } from "./parallel.js";

const [NODES, SLOTS_PER_NODE] = [4, 8];
const SLOTS = NODES * SLOTS_PER_NODE;
/** GNU parallel gets fewer of the chunks that it transfers files of: it needs minutes for thousands. */
const MAX_TRANSFERS = 2000;
const chunks = Number(process.argv[2] ?? 2000);
if (!Number.isInteger(chunks) || chunks < 1 || chunks > 1_000_000) {
  console.error("usage: npm run bench:dispatch [-- CHUNKS]   (1 to 1000000)");
  process.exit(64);
}

function rate(score: DispatchScore): number {
  return score.chunks / score.seconds;
}

function line(score: DispatchScore): string {
  const wrong = score.right === score.chunks ? "all right" : `ONLY ${score.right} RIGHT`;
  const figures = `${rate(score).toFixed(1).padStart(8)} chunks/s  ${score.seconds.toFixed(2).padStart(7)} s`;
  return `${score.name.padEnd(48)} ${String(score.chunks).padStart(6)} chunks ${figures}  ${wrong}  ${score.note}`;
}

async function main(): Promise<void> {
  installPeers();
  execFileSync(join(projectRoot(), "build"), { stdio: "inherit" });
  // Multiplexing needs these limits; muster works with the defaults.
  const lab = await startLab({
    nodes: NODES,
    gpus: SLOTS_PER_NODE,
    vendor: "amd",
    sshd: { MaxSessions: 100, MaxStartups: 200 },
  });
  try {
    const inventory = lab.inventory();
    console.log(
      `${lab.nodes.length} nodes x ${SLOTS_PER_NODE} slots, real sshd on loopback; from the start of the program to its end`,
    );
    const contests: (() => Promise<DispatchScore>)[] = [
      () => runMuster(lab.folder, inventory, chunks, "argument"),
      () => runMuster(lab.folder, inventory, chunks, "file"),
      () => runParallel(lab, Math.min(chunks, 400), "argument", true),
      () => runParallel(lab, Math.min(chunks, MAX_TRANSFERS), "file", true),
      () => runParallel(lab, Math.min(chunks, 100), "file", false),
      () => runWritingPool("bare", lab.folder, chunks, SLOTS),
      ...(hasDask() ? [() => runWritingPool("dask_commands", lab.folder, chunks, SLOTS)] : []),
    ];
    // Nothing is deleted in between: ext4 is slow to find free inodes after deletions.
    const scores: DispatchScore[] = [];
    for (const contest of contests) {
      const score = await contest();
      scores.push(score);
      console.log(line(score));
    }
    report(scores);
  } finally {
    await lab.stop();
  }
}

function report(scores: DispatchScore[]): void {
  const [argument, file, peerArgument, peerFile, , bare, dask] = scores.map(rate) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number?,
  ];
  const times = (a: number, b: number) => `${(a / b).toFixed(0)} times`;
  console.log(
    `muster, ${chunks} chunks, against parallel with transfer, return and cleanup: ${times(argument, peerFile)}`,
  );
  console.log(`like for like: number as argument ${times(argument, peerArgument)}, as file ${times(file, peerFile)}`);
  const ofDask =
    dask === undefined
      ? "Dask is left out: apt-get install python3-distributed"
      : `${(argument / dask).toFixed(2)} of Dask's`;
  console.log(`of the rate of a bare posix_spawn loop on this machine: ${(argument / bare).toFixed(2)}; ${ofDask}`);
  if (scores.slice(0, 2).some((score) => score.right !== score.chunks)) process.exitCode = 1;
}

await main();
