import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type MusterResult, startMuster, type TestFolder, waitForExit } from "../cli/startmuster.js";
import type { LabNode } from "../lab/lab.js";

/**
 * A worker whose output is known beforehand. It notes each time that it begins and ends outside the run's folder; with a gate
 * it waits until the gate's file is there.
 */
const WORKER = `#!/usr/bin/python3 -IS
import hashlib, os, sys, time
n, size, seconds, log, gate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5]
def note(what):
    with open(log, "a") as file:
        file.write(n + " " + os.environ["MUSTER_ATTEMPT"] + " " + what + "\\n")
note("began")
while gate != "-" and not os.path.exists(gate):
    time.sleep(0.02)
time.sleep(seconds)
block = hashlib.sha256(n.encode()).hexdigest()
with open("r.json", "w") as file:
    file.write('"' + (block * (size // 64 + 1))[: size - 2] + '"')
note("ended")
`;

/** The same as a warm worker. */
const WARM_WORKER = `#!/usr/bin/python3
import hashlib, os, sys, time
import muster
def note(log, n, what):
    with open(log, "a") as file:
        file.write(n + " " + os.environ["MUSTER_ATTEMPT"] + " " + what + "\\n")
for chunk in muster.chunks():
    n, size, seconds, log, gate = chunk.args[0], int(chunk.args[1]), float(chunk.args[2]), chunk.args[3], chunk.args[4]
    note(log, n, "began")
    while gate != "-" and not os.path.exists(gate):
        time.sleep(0.02)
    time.sleep(seconds)
    block = hashlib.sha256(n.encode()).hexdigest()
    chunk.write("r.json", ('"' + (block * (size // 64 + 1))[: size - 2] + '"').encode())
    note(log, n, "ended")
`;

export interface KnownJobOptions {
  /** Its workers are warm. */
  warm?: boolean;
  chunks: number;
  /** Bytes of a result. Default 66. */
  size?: number;
  /** Seconds that a chunk takes. Default 0. */
  seconds?: number;
  /** Chunks wait until `open` is called. */
  gate?: boolean;
  /** Further keys of the job. */
  job?: Record<string, unknown>;
}

/** A time that a chunk was executed, as the worker itself noted it. */
export interface NotedExecution {
  chunk: string;
  attempt: string;
  node: string;
  /** false: it was killed, or still runs. */
  ended: boolean;
}

/** A muster at work. */
export interface RunningMuster {
  child: ChildProcess;
  ended: Promise<MusterResult>;
  /** Its stderr, so far. */
  stderr(): string;
}

/** Listens to a muster that has just been started. */
export function watchMuster(child: ChildProcess): RunningMuster {
  let said = "";
  child.stderr?.on("data", (bytes) => {
    said += bytes;
  });
  return { child, ended: waitForExit(child), stderr: () => said };
}

/** A job of which every result is known before it runs, and every execution is counted. */
export class KnownJob {
  /** The job file and the run directory. */
  readonly file: string;
  run: string;
  readonly chunks: string[];

  constructor(
    shop: TestFolder,
    readonly name: string,
    readonly shape: KnownJobOptions,
  ) {
    const { chunks, size = 66, seconds = 0, gate = false, warm = false, job = {} } = shape;
    shop.write(`${name}/worker.py`, warm ? WARM_WORKER : WORKER, 0o755);
    this.file = shop.write(`${name}/job.yaml`, {
      name,
      kind: "matrix",
      matrix: { n: [0, chunks] },
      script: "worker.py",
      args: ["{n}", `${size}`, `${seconds}`, this.log, gate ? this.gate : "-"],
      outputs: ["r.json"],
      ...(warm ? { worker: "warm" } : {}),
      ...job,
    });
    this.run = join(shop.folder, name, "runs", name);
    this.chunks = Array.from({ length: chunks }, (_, n) => `n=${n}`);
  }

  /** A copy of its run directory as it is now, called `name` beside it: the same job, to be run there. */
  copy(name: string): KnownJob {
    const run = join(dirname(this.run), name);
    cpSync(this.run, run, { recursive: true, preserveTimestamps: true });
    return Object.assign(Object.create(KnownJob.prototype), this, { run });
  }

  /** Starts `muster run` of it. */
  start(words: string[], env: Record<string, string> = {}): RunningMuster {
    return watchMuster(startMuster(["run", this.file, "--out", this.run, ...words], { env }));
  }

  /** Runs `muster run` of it to its end. */
  muster(words: string[], env: Record<string, string> = {}): Promise<MusterResult> {
    return this.start(words, env).ended;
  }

  /** What a chunk's result must be. */
  expected(chunk: string): string {
    const { size = 66 } = this.shape;
    const block = createHash("sha256").update(chunk.slice("n=".length)).digest("hex");
    return `"${block.repeat(Math.floor(size / 64) + 1).slice(0, size - 2)}"`;
  }

  /** Lets the chunks that wait on these nodes continue. */
  openGate(nodes: LabNode[]): void {
    for (const node of nodes) writeFileSync(join(node.root, this.gate), "");
  }

  /** Lets chunks that begin on these nodes from now on wait again. */
  closeGate(nodes: LabNode[]): void {
    for (const node of nodes) rmSync(join(node.root, this.gate));
  }

  /** Every time that a chunk was begun on these nodes. */
  listExecutions(nodes: LabNode[]): NotedExecution[] {
    return nodes.flatMap((node) => {
      const file = join(node.root, this.log);
      const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
      const noted = new Set(lines);
      return lines
        .filter((line) => line.endsWith(" began"))
        .map((line) => {
          const [n, attempt] = line.split(" ") as [string, string];
          return { chunk: `n=${n}`, attempt, node: node.name, ended: noted.has(`${n} ${attempt} ended`) };
        });
    });
  }

  /** Chunks that have begun on these nodes and not ended, as the workers note it: killed ones count, too. */
  listRunning(nodes: LabNode[]): string[] {
    return this.listExecutions(nodes).flatMap((one) => (one.ended ? [] : [one.chunk]));
  }

  private get log(): string {
    return `/var/tmp/executions-${this.name}`;
  }

  private get gate(): string {
    return `/var/tmp/gate-${this.name}`;
  }
}
