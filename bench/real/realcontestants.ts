import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { JournalEntry } from "../../executor/run/record/journalentry.js";
import type { Lab } from "../../test/lab/lab.js";
import { runMusterJob } from "../mustercontestant.js";
import { openHosts } from "../parallel.js";
import { clairvoyantBound } from "../schedule/cluster.js";
import { runTimed } from "../timedrun.js";
import { isWhole, OVERHEAD, type RealWorkload, writeWorkload } from "./realworkload.js";

/**
 * The result of a contestant: its time, the number of its chunks, and what was wrong. `clairvoyant`: the bound in seconds of one who knows
 * when each node joins, and pays one overhead a slot.
 */
export interface RealScore {
  seconds: number;
  clairvoyant?: number;
  chunks: number;
  wrong: string;
}

/**
 * What the inventory says of the GPUs, and whether the worker reports its progress. `guess`: units a second. `earlierRuns`: of the same
 * job, from which rates are learned; their time does not count.
 */
export interface MusterTerms {
  guess: { fast: number; slow: number };
  reports: boolean;
  earlierRuns: number;
}

interface UnitInterval {
  start: number;
  end: number;
}

/** A program is killed after this many times the fluid bound. */
const MAX_TIMES_BOUND = 8;

/** Runs `./muster run` from the start of the program to its exit. */
export async function runMuster(lab: Lab, place: string, work: RealWorkload, terms: MusterTerms): Promise<RealScore> {
  for (let number = 0; number < terms.earlierRuns; number++)
    await runOnce(lab, place, work, terms, `earlier-${number}`);
  const ran = await runOnce(lab, place, work, terms, "run");
  const out = join(place, "run");
  if (ran.code !== 0) return { seconds: ran.seconds, chunks: 0, wrong: `exit ${ran.code}: ${ran.stderr}` };
  const lines = readFileSync(join(out, "results.ndjson"), "utf8").split("\n").filter(Boolean);
  const parts = lines.map((line) => (JSON.parse(line) as { output: UnitInterval }).output);
  const cluster = { ...work.cards, joins: readJoins(out, ran.beganMs) };
  return { ...scoreOf(ran.seconds, parts, work), clairvoyant: clairvoyantBound(cluster, work.units, OVERHEAD) };
}

/** Returns when each node joined, in seconds since `beganMs`, from the journal of a run. */
function readJoins(run: string, beganMs: number): Map<string, number> {
  const lines = readFileSync(join(run, "journal.ndjson"), "utf8").split("\n").filter(Boolean);
  const entries = lines.map((line) => JSON.parse(line) as JournalEntry);
  const opened = entries.find((entry) => entry.e === "open")!;
  const start = (Date.parse(opened.at) - beganMs) / 1000;
  const joins = entries.flatMap((entry) =>
    entry.e === "node" && entry.state === "live" ? [[entry.node, start + entry.at] as const] : [],
  );
  return new Map(joins);
}

async function runOnce(lab: Lab, place: string, work: RealWorkload, terms: MusterTerms, out: string) {
  const beganMs = writeWorkload(place, work);
  writeFileSync(join(place, "job.yaml"), stringify(jobOf(work, terms.reports)));
  const inventory = inventoryOf(lab, place, terms.guess);
  const ran = await runMusterJob(join(place, "job.yaml"), inventory, join(place, out), work.bound * MAX_TIMES_BOUND);
  return { ...ran, beganMs };
}

function jobOf({ units }: RealWorkload, reports: boolean): unknown {
  return {
    name: "real",
    kind: "range",
    range: [0, units],
    script: "worker.py",
    args: [...(reports ? ["--report"] : []), "{start}", "{end}", "{out}/part.json"],
    inputs: ["cluster.json"],
    outputs: ["part.json"],
  };
}

/** Writes the inventory into its own folder, because learned rates are kept beside it. */
function inventoryOf(lab: Lab, place: string, { fast, slow }: MusterTerms["guess"]): string {
  const profiles = { fast: { vendor: "amd", rate: fast }, slow: { vendor: "amd", rate: slow } };
  return lab.inventory({
    file: join(place.slice(lab.folder.length + 1), "inventory.yaml"),
    node: { profile: "slow", gpus: 8 },
    nodes: { zeus: { profile: "fast", gpus: 2 } },
    top: { profiles },
  });
}

/** Runs GNU parallel over one multiplexed connection a node, in chunks of `size` units; it returns the results. */
export async function runParallel(lab: Lab, place: string, work: RealWorkload, size: number): Promise<RealScore> {
  writeWorkload(place, work);
  const closeHosts = openHosts(lab, place, (node) => (node === "zeus" ? 2 : 8), true);
  const count = Math.ceil(work.units / size);
  const chunks = Array.from({ length: count }, (_, n) => [n * size, Math.min(work.units, (n + 1) * size)]);
  const files = ["--basefile", "worker.py", "--basefile", "cluster.json", "--return", "part-{1}", "--cleanup"];
  const ran = await runTimed(
    [
      ...["parallel", "--will-cite", "--colsep", " ", "--sshloginfile", "nodes", "--wd", "/tmp/parallel", ...files],
      "python3 worker.py {1} {2} part-{1}",
    ],
    {
      cwd: place,
      limit: work.bound * MAX_TIMES_BOUND,
      stdin: `${chunks.map((chunk) => chunk.join(" ")).join("\n")}\n`,
      env: { HOME: lab.folder },
    },
  );
  closeHosts();
  const there = chunks.map(([start]) => join(place, `part-${start}`)).filter((file) => existsSync(file));
  const parts = there.map((file) => JSON.parse(readFileSync(file, "utf8")) as UnitInterval);
  return { ...scoreOf(ran.seconds, parts, work), chunks: count };
}

function scoreOf(seconds: number, parts: UnitInterval[], { units }: RealWorkload): RealScore {
  const done = parts.reduce((sum, { start, end }) => sum + end - start, 0);
  const wrong = isWhole(parts, units) ? "" : `${units - done} of ${units} units are missing`;
  return { seconds, chunks: parts.length, wrong };
}
