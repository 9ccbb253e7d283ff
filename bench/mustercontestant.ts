import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { projectRoot } from "../test/lab/project.js";
import { runTimed, type TimedRun } from "./timedrun.js";

/** The result of a contestant: how long it took for how many chunks, and how many results were right. */
export interface DispatchScore {
  name: string;
  chunks: number;
  right: number;
  seconds: number;
  note: string;
}

/** How chunks get their number: as an argument, or in an input file of their own. */
export type NumberFeed = "argument" | "file";

/** Runs `./muster run` on a job of `chunks` chunks that each write their number into a file, which is collected. */
export async function runMuster(
  folder: string,
  inventory: string,
  chunks: number,
  feed: NumberFeed,
): Promise<DispatchScore> {
  const place = join(folder, `muster-${feed}`);
  mkdirSync(join(place, "in"), { recursive: true });
  writeFileSync(join(place, "worker.sh"), '#!/bin/sh\ncat "$1" >"$2"\n');
  writeFileSync(join(place, "number.sh"), '#!/bin/sh\necho "$1" >"$2"\n');
  for (const script of ["worker.sh", "number.sh"]) chmodSync(join(place, script), 0o755);
  writeFileSync(join(place, "job.yaml"), stringify(feed === "argument" ? argumentJob(chunks) : fileJob(place, chunks)));
  const out = join(place, "run");
  const ran = await runMusterJob(join(place, "job.yaml"), inventory, out, 600);
  const right = ran.code === 0 ? countResults(out, chunks) : 0;
  const note = ran.code === 0 ? `peak ${Math.round(ran.peak / 1048576)} MiB` : `exit ${ran.code}: ${ran.stderr}`;
  return { name: `muster (number as ${feed})`, chunks, right, seconds: ran.seconds, note };
}

/** Runs `./muster run`, from the start of the program to its exit. */
export function runMusterJob(job: string, inventory: string, out: string, limit: number): Promise<TimedRun> {
  const argv = [join(projectRoot(), "muster"), "run", job, "-i", inventory, "--out", out, "--json"];
  return runTimed(argv, { limit });
}

function argumentJob(chunks: number): unknown {
  const common = { name: "dispatch", script: "number.sh", args: ["{n}", "{out}/n.txt"], outputs: ["n.txt"] };
  return { ...common, kind: "matrix", matrix: { n: [0, chunks] } };
}

function fileJob(place: string, chunks: number): unknown {
  const tasks = Array.from({ length: chunks }, (_, n) => {
    writeFileSync(join(place, `in/${n}`), `${n}\n`);
    return {
      id: `t${n}`,
      script: "worker.sh",
      args: [`in/${n}`, `out/${n}`],
      inputs: [`in/${n}`],
      outputs: [`out/${n}`],
    };
  });
  return { name: "dispatch", kind: "tasks", tasks };
}

/** Returns how many of the numbers 0 to `chunks` - 1 are in the files that `results.ndjson` names. */
function countResults(out: string, chunks: number): number {
  const seen = new Set<number>();
  const lines = readFileSync(join(out, "results.ndjson"), "utf8").split("\n").filter(Boolean);
  for (const line of lines) {
    const { chunk, output } = JSON.parse(line) as { chunk: string; output: unknown };
    const candidates = [join(out, "results", chunk, "n.txt"), join(out, "results/out", chunk.replace(/^t/, ""))];
    const file = candidates.find((path) => existsSync(path));
    if (file === undefined) continue;
    const number = Number(readFileSync(file, "utf8"));
    if (number === output && number < chunks) seen.add(number);
  }
  return seen.size;
}
