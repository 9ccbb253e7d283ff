import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { type MusterResult, startMuster, type TestFolder } from "../cli/startmuster.js";
import type { LabNode } from "../lab/lab.js";
import { listFiles, readJournal } from "./checks.js";
import { type RunningMuster, watchMuster } from "./knownjob.js";

/**
 * A worker that notes each unit it begins, waits for its gate where it has one, and leaves a large file, two small ones whose names are
 * found, a line that it prints, and one that it appends.
 */
const WORKER = `import os, sys, time
log, gate, seconds, start, end = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
for n in range(start, end):
    with open(log, "a") as file: file.write("%d\\n" % n)
while gate != "-" and not os.path.exists(gate): time.sleep(0.02)
time.sleep(seconds)
os.makedirs("out", exist_ok=True)
with open("out/t%d.json" % start, "w") as file: file.write("large %d\\n" % start * 4000)
for n in range(start, end):
    for part in "ab":
        with open("frames/t%d-%s.png" % (n, part), "w") as file: file.write("frame %d%s" % (n, part))
    with open("found.txt", "a") as file: file.write("hit %d\\n" % n)
print(start)
`;

export interface PublishingJobOptions {
  units: number;
  /** Units come one in a task, or some in a chunk of a range. Default: tasks. */
  kind?: "tasks" | "range";
  /** Tasks wait until `openGate` is called. */
  gate?: boolean;
  /** Seconds that a chunk takes. Default 0. */
  seconds?: number;
  /** The folder of results, relative to the job file. Default: that of the job file. */
  results?: string;
  /** Further keys of the job. */
  job?: object;
}

/** A job that publishes results of all kinds in a folder where files of others lie. All of them are known before it runs. */
export class PublishingJob {
  readonly file: string;
  readonly run: string;
  /** The folder of results. */
  readonly folder: string;

  constructor(
    private readonly shop: TestFolder,
    private readonly name: string,
    private readonly shape: PublishingJobOptions,
  ) {
    const { units, kind = "tasks", results = ".", job } = shape;
    shop.write(`${name}/w.py`, WORKER);
    shop.write(`${name}/mine.txt`, "mine");
    const outputs = ["stdout", "out/", "frames/"];
    const chunks =
      kind === "range"
        ? { range: [0, units], chunk: { base: 5, min: 3, max: 8 }, args: this.args("{start}", "{end}"), outputs }
        : {
            tasks: Array.from({ length: units }, (_, n) => ({
              id: `t${n}`,
              args: this.args(`${n}`, `${n + 1}`),
              outputs: ["stdout", `out/t${n}.json`, `frames/t${n}-*.png`],
            })),
          };
    this.file = shop.write(`${name}/job.json`, {
      kind,
      script: "w.py",
      append: ["found.txt"],
      aggregate: { from: "stdout", as: "lines", to: "all.txt" },
      results,
      ...chunks,
      ...job,
    });
    this.run = join(shop.folder, name, "runs/job");
    this.folder = join(shop.folder, name, results);
  }

  /** Starts `muster run` of it. */
  start(words: string[], env: Record<string, string> = {}): RunningMuster {
    return watchMuster(startMuster(["run", this.file, ...words], { env }));
  }

  /** Runs `muster run` of it to its end. */
  muster(words: string[], env: Record<string, string> = {}): Promise<MusterResult> {
    return this.start(words, env).ended;
  }

  /** Runs it until it kills itself at this step. */
  async kill(t: Test, step: string, words: string[]): Promise<void> {
    const killed = this.start(words, { MUSTER_KILL_AT: step });
    const { err, out } = await killed.ended;
    t.equal(killed.child.signalCode, "SIGKILL", `killed at ${step}${killed.child.signalCode ? "" : `: ${err}${out}`}`);
  }

  /** The chunks that are committed: first unit and the unit after the last. */
  listCommitted(): [start: number, end: number][] {
    return readJournal(this.run).flatMap((entry) =>
      entry.e === "done" ? [[Number(entry.start), Number(entry.end)] as [number, number]] : [],
    );
  }

  /** The published files of a chunk with their contents, by their paths in the folder of results. */
  listPublished(start: number, end: number): [path: string, content: string][] {
    const isRange = this.shape.kind === "range";
    const folder = isRange ? `${start}-${end}/` : "";
    const files: [string, string][] = [
      [isRange ? `${folder}stdout` : `t${start}/stdout`, `${start}\n`],
      [`${folder}out/t${start}.json`, `large ${start}\n`.repeat(4000)],
    ];
    for (let n = start; n < end; n++)
      for (const part of "ab") files.push([`${folder}frames/t${n}-${part}.png`, `frame ${n}${part}`]);
    return files;
  }

  /** Committed results are there with the right bytes, and files of others are untouched. */
  checkCommitted(t: Test, when: string): void {
    const files = this.listCommitted().flatMap(([start, end]) => this.listPublished(start, end));
    const wrong = files.filter(([path, content]) => this.read(path) !== content).map(([path]) => path);
    t.same(wrong, [], `${when}: what is journaled is there`);
    t.equal(this.shop.read(`${this.name}/mine.txt`), "mine", `${when}: other files are untouched`);
  }

  /** Every unit was computed once, and the folder has every result once and whole, `others`, and nothing else. */
  checkComplete(t: Test, nodes: LabNode[], others: string[]): void {
    this.checkCommitted(t, "at the end");
    const { units } = this.shape;
    const all = Array.from({ length: units }, (_, n) => n);
    const chunks = this.listCommitted().sort(([a], [b]) => a - b);
    t.same(
      chunks.flatMap(([start, end]) => all.slice(start, end)),
      all,
      "every unit is committed once",
    );
    const published = chunks.flatMap(([start, end]) => this.listPublished(start, end).map(([path]) => path));
    const found = listFiles(this.folder).filter((path) => !path.startsWith("runs/"));
    t.same(found, [...published, "all.txt", "found.txt", ...others].sort(), "every file once, and no other");
    t.equal(this.read("found.txt"), all.map((n) => `hit ${n}\n`).join(""), "joined in order");
    t.equal(this.read("all.txt"), chunks.map(([start]) => `${start}\n`).join(""), "combined in order");
    t.same(this.listBegun(nodes), all, "every unit was computed once");
    t.equal(existsSync(join(this.run, ".partial")), false);
  }

  /** A file in the folder of results; undefined = it is not there. */
  read(path: string): string | undefined {
    const file = join(this.folder, path);
    return existsSync(file) ? readFileSync(file, "utf8") : undefined;
  }

  /** The units that have begun on these nodes, each as often as it did, in order. */
  listBegun(nodes: LabNode[]): number[] {
    const logs = nodes.map((node) => join(node.root, this.log)).filter((file) => existsSync(file));
    const lines = logs.flatMap((file) => readFileSync(file, "utf8").split("\n").filter(Boolean));
    return lines.map(Number).sort((a, b) => a - b);
  }

  openGate(nodes: LabNode[]): void {
    for (const node of nodes) writeFileSync(join(node.root, this.gate), "");
  }

  closeGate(nodes: LabNode[]): void {
    for (const node of nodes) rmSync(join(node.root, this.gate));
  }

  private args(start: string, end: string): string[] {
    const { gate = false, seconds = 0 } = this.shape;
    return [this.log, gate ? this.gate : "-", `${seconds}`, start, end];
  }

  private get log(): string {
    return `/var/tmp/begun-${this.name}`;
  }

  private get gate(): string {
    return `/var/tmp/gate-${this.name}`;
  }
}
