import { join } from "node:path";
import type { TestFolder } from "../cli/startmuster.js";
import { sha256Hex } from "../faults/checks.js";
import type { LabNode } from "../lab/lab.js";
import { type ChaosExecution, ChaosJob } from "./chaosjob.js";
import type { ChaosPlan } from "./chaosplan.js";
import { JOIN } from "./worker.js";

/** A job with the folder, below a run directory, that is its own run directory: "" where it is the only one. */
export interface PlacedJob {
  job: ChaosJob;
  step: string;
}

/** What a plan runs, on disk: the file that `muster run` takes, and what must come of it. */
export class Workload {
  readonly file: string;
  readonly jobs: PlacedJob[];
  /** Of a pipeline with a command: where its output must be below a run directory, and with which content. */
  readonly command: { path: string; content: string } | undefined;

  /** `mark` tells this run's files on the nodes from others'. */
  constructor(shop: TestFolder, mark: string, { work }: ChaosPlan) {
    if (work.shape === "job") {
      const job = new ChaosJob(shop, "job", mark, work.jobs[0], undefined);
      this.jobs = [{ job, step: "" }];
      this.file = job.file;
      return;
    }
    const [first, second] = work.jobs;
    const a = new ChaosJob(shop, "a", `${mark}-a`, first, undefined);
    const content = (aggregates: string[]) => `"${sha256Hex(aggregates.join(""))}"`;
    const feeds = {
      chain: () => a.expectedAggregate(),
      "chain-command": () => content([a.expectedAggregate()]),
      parallel: () => undefined,
    };
    const b = new ChaosJob(shop, "b", `${mark}-b`, second, feeds[work.shape]());
    this.jobs = [
      { job: a, step: "a" },
      { job: b, step: "b" },
    ];
    shop.write("join.py", JOIN);
    this.file = shop.write("pipeline.json", { kind: "pipeline", name: "pipeline", steps: stepsOf(work.shape) });
    if (work.shape === "chain") return;
    const joined = work.shape === "parallel" ? [a, b] : [a];
    this.command = {
      path: join("join", "results", "joined.json"),
      content: content(joined.map((job) => job.expectedAggregate())),
    };
  }

  get isPipeline(): boolean {
    return this.command !== undefined || this.jobs.length > 1;
  }

  /** How many items all jobs have together. */
  get items(): number {
    return this.jobs.reduce((sum, { job }) => sum + job.plan.items, 0);
  }

  /** Every execution on these nodes, with its job. */
  executions(nodes: LabNode[]): (ChaosExecution & { placed: PlacedJob })[] {
    return this.jobs.flatMap((placed) => placed.job.executions(nodes).map((one) => ({ ...one, placed })));
  }
}

function stepsOf(shape: "chain" | "chain-command" | "parallel"): Record<string, unknown> {
  const command = (...words: string[]) => ["python3", "join.py", ...words, "{out}/joined.json"];
  switch (shape) {
    case "chain":
      return { a: { job: "a.json" }, b: { job: "b.json", inputs: { "feed.json": "a/all.json" } } };
    case "chain-command":
      return {
        a: { job: "a.json" },
        join: { command: command("{in}/1"), inputs: { 1: "a/all.json" }, outputs: ["joined.json"] },
        b: { job: "b.json", inputs: { "feed.json": "join/joined.json" } },
      };
    case "parallel":
      return {
        a: { job: "a.json" },
        b: { job: "b.json" },
        join: {
          command: command("{in}/1", "{in}/2"),
          inputs: { 1: "a/all.json", 2: "b/all.json" },
          outputs: ["joined.json"],
        },
      };
  }
}
