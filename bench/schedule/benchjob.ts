import type { Chunk, ChunkSpec, Job } from "../../executor/job/job.js";
import { NO_PROJECT_FOLDERS } from "../../executor/job/project/project.js";

/** What every chunk of such a job runs. */
export const benchSpec: ChunkSpec = {
  program: { kind: "command", command: ["true"] },
  args: [],
  inputs: [],
  outputs: [],
  env: {},
};

/** Creates a job of `units` units for the scheduler. Without `sizing`, its units are tasks that cannot be split. */
export function createBenchJob(units: bigint, sizing: Job["sizing"]): Job {
  return {
    name: "bench",
    work: "bench",
    file: "/bench.yaml",
    folder: "/",
    kind: sizing === undefined ? "tasks" : "range",
    first: 0n,
    units,
    sizing,
    chunk: (start, end): Chunk => ({ id: `${start}-${end}`, start, end, spec: benchSpec }),
    unitsOf: () => undefined,
    stagedFiles: () => [],
    folders: NO_PROJECT_FOLDERS,
    needs: { playbooks: [] },
    params: {},
    limitedValues: [],
    retry: { attempts: 3, backoff: 1 },
    halt: { alike: 3 },
    launches: [benchSpec],
    limits: { stdout: 0, files: 0, output: 2 ** 32 },
    priority: 0,
    collect: "files",
    identity: "{}",
  };
}
