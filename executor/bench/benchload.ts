import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Inventory } from "../../fleet/inventory.js";
import { UsageError } from "../../schemas/errors.js";
import { formatJson } from "../../schemas/escape.js";
import { parseSource } from "../../schemas/parsesource.js";
import { loadProgramFolder } from "../../templates/nodeprograms.js";
import type { Chunk, Job } from "../job/job.js";
import { loadJob } from "../job/loadjob.js";

/** What every card computes: one chunk of a job. `units`: the work in it; undefined = the program reports its rate itself. */
export interface BenchLoad {
  job: Job;
  chunk: Chunk;
  units: number | undefined;
}

/** How long a card may take beyond the time that it is to compute: OpenCL compiles kernels, and a card may be slow to wake up. */
const STARTUP_SECONDS = 120;
/** How long a chunk of a user's job may take that has no timeout. */
const DEFAULT_TIMEOUT_SECONDS = 600;

/** The name of the file that the built-in load writes. */
const OUTPUT = "load.json";

/** Loads the built-in load, which computes for some seconds. Its job file is written into `folder`. */
export function loadBuiltIn(folder: string, seconds: number): BenchLoad {
  const file = join(folder, `load-${seconds}s.yaml`);
  const text = formatJson(
    {
      name: "bench",
      kind: "tasks",
      project: "none",
      script: "load.py",
      inputs: ["mix.py", "opencl.py"],
      args: [`${seconds}`, OUTPUT],
      outputs: [OUTPUT],
      timeout: `${Math.ceil(seconds) + STARTUP_SECONDS}s`,
      tasks: [{ id: "load" }],
    },
    2,
  );
  writeFileSync(file, text);
  const job = loadJob(parseSource(file, text), { folder: loadProgramFolder() });
  return { job, chunk: job.chunk(0n, 1n), units: undefined };
}

/**
 * Loads the first chunk of a user's job; with `range`, all of that range as one chunk. Throws InvalidFileError as loadJob does, and
 * UsageError for a queue, and where a chunk does not take exactly one GPU.
 */
export function loadOwnJob(file: string, range: [bigint, bigint] | undefined, inventory: Inventory): BenchLoad {
  const job = loadJob(file, { inventory, ...(range === undefined ? {} : { range }) });
  if (job.kind === "queue")
    throw new UsageError(
      `--job ${file}: it is a queue, which has no chunk to measure`,
      "Name a job with tasks or a range.",
    );
  const gpus = job.gpuCounts?.fewest ?? job.needs.gpus;
  if (gpus === 0 || job.needs.vendor === "none")
    throw new UsageError(`--job ${file}: its chunks use no GPU`, "Name a job that computes on GPUs.");
  if ((job.gpuCounts?.most ?? gpus ?? 1) > 1)
    throw new UsageError(`--job ${file}: its chunks need several GPUs`, "bench measures one card at a time.");
  const size = range === undefined ? firstSize(job) : job.units;
  const chunk = job.chunk(job.first, job.first + size);
  const timeout = chunk.spec.timeout ?? DEFAULT_TIMEOUT_SECONDS;
  return { job, chunk: { ...chunk, spec: { ...chunk.spec, timeout } }, units: Number(size) };
}

/** The number of units of the first chunk. */
function firstSize({ sizing, units }: Job): bigint {
  if (sizing === undefined) return 1n;
  const size = sizing.by === "rate" ? sizing.base : (sizing.first ?? sizing.min);
  return BigInt(size) < units ? BigInt(size) : units;
}
