import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestFolder } from "../cli/startmuster.js";
import { sha256Hex } from "../faults/checks.js";
import type { LabNode } from "../lab/lab.js";
import type { JobPlan } from "./jobplan.js";
import { WORKER, type WorkerSettings } from "./worker.js";

/** Slots of a node at the most: see chaosplan.ts. */
const MAX_SLOTS_PER_NODE = 4;

/** A time that a chunk was executed, as the worker itself noted it: its items, and what happened. */
export interface ChaosExecution {
  node: LabNode;
  first: number;
  end: number;
  attempt: string;
  ended: boolean;
  chunkFault: boolean;
  /** Items of executions that were under way, had just ended, or were about to begin on the node when it did wrong. */
  beside: number[];
}

/** A job of which every result is known before it runs, and every execution is noted. Items count from 0. */
export class ChaosJob {
  readonly file: string;
  /** What it makes of all its items, once it is complete; undefined where it makes no such file. */
  readonly aggregateName: string | undefined;

  /** `feed`: the content, without white space, of the file that another step gives it; undefined where it takes none. */
  constructor(
    shop: TestFolder,
    /** Names its files. */
    readonly name: string,
    /** Tells runs apart on the nodes. */
    private readonly mark: string,
    readonly plan: JobPlan,
    private readonly feed: string | undefined,
  ) {
    const { kind, first, secondsPerItem, sizeBytes, chunkFault } = plan;
    const settings: WorkerSettings = {
      salt: mark,
      secondsPerItem,
      sizeBytes,
      isList: kind === "range",
      log: this.log,
      feed: feed === undefined ? null : "feed.json",
      chunkFault:
        chunkFault === undefined ? null : { ...chunkFault, unit: `${BigInt(first) + BigInt(chunkFault.item)}` },
    };
    shop.write("worker.py", WORKER, 0o755);
    shop.write("feed.json", "[]");
    shop.write(this.settingsName, settings);
    this.aggregateName = kind === "range" || kind === "matrix" ? "all.json" : undefined;
    const text = JSON.stringify(kind === "jobs-file" ? this.jobsFile() : this.jobFile(), null, 1);
    // JavaScript's numbers are exact to 2^53 alone; the bounds of a range may lie beyond.
    this.file = shop.write(`${name}.json`, text.replace(/"unit:(\d+)"/g, "$1"));
  }

  /** The id of the chunk of these items. */
  chunkId(first: number, end: number): string {
    const start = BigInt(this.plan.first);
    switch (this.plan.kind) {
      case "range":
        return `${start + BigInt(first)}-${start + BigInt(end)}`;
      case "matrix":
        return `n=${first}`;
      default:
        return `t${first}`;
    }
  }

  /** The items of the units [start, end) of a record of the journal. */
  itemsOf(start: string, end: string): [first: number, end: number] {
    const first = BigInt(this.plan.first);
    return [Number(BigInt(start) - first), Number(BigInt(end) - first)];
  }

  /** Where the result of these items is published, below results/. */
  resultPath(first: number, end: number): string {
    const isListed = this.plan.kind === "tasks" || this.plan.kind === "jobs-file";
    return isListed ? `out/t${first}.json` : `${this.chunkId(first, end)}/r.json`;
  }

  /** What the result of these items must be. */
  expected(first: number, end: number): string {
    const values = Array.from({ length: end - first }, (_, index) => this.value(first + index));
    return this.plan.kind === "range" ? `[${values.join(",")}]` : values[0]!;
  }

  /** What the aggregate must be, without its white space. */
  expectedAggregate(): string {
    return `[${Array.from({ length: this.plan.items }, (_, item) => this.value(item)).join(",")}]`;
  }

  /** Every time that a chunk was begun on these nodes, in order on each of them. */
  executions(nodes: LabNode[]): ChaosExecution[] {
    return nodes.flatMap((node) => this.executionsOn(node));
  }

  /** Removes what its executions have noted on these nodes. */
  forget(nodes: LabNode[]): void {
    for (const node of nodes)
      for (const file of [this.log, `${this.log}.chunkFault`]) rmSync(join(node.root, file), { force: true });
  }

  private executionsOn(node: LabNode): ChaosExecution[] {
    const file = join(node.root, this.log);
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
    const executions: ChaosExecution[] = [];
    for (const line of lines) {
      const [start, end, attempt, what] = line.split(" ") as [string, string, string, string];
      const [first, last] = this.itemsOf(start, end);
      const known = executions.findLast((one) => one.attempt === attempt && one.first === first);
      if (what === "began" || known === undefined)
        executions.push({ node, first, end: last, attempt, ended: false, chunkFault: false, beside: [] });
      else if (what === "ended") known.ended = true;
      else Object.assign(known, { chunkFault: true, beside: recent(executions) });
    }
    for (const one of executions.filter(({ chunkFault }) => chunkFault)) {
      // They had been started, and had not come to note it.
      const next = executions.indexOf(one) + 1;
      one.beside.push(...executions.slice(next, next + MAX_SLOTS_PER_NODE).flatMap(itemsIn));
    }
    return executions;
  }

  /** Of a queue: the tasks of a batch, as JSON lines. */
  batch(number: number): string {
    const { items, batches } = this.plan;
    const [from, to] = [number, number + 1].map((bound) => Math.floor((bound * items) / batches)) as [number, number];
    const tasks = Array.from({ length: to - from }, (_, index) => ({
      id: `t${from + index}`,
      params: { n: from + index },
    }));
    return tasks.map((task) => `${JSON.stringify(task)}\n`).join("");
  }

  private value(item: number): string {
    const { sizeBytes, first } = this.plan;
    const fed = this.feed === undefined ? "" : sha256Hex(this.feed);
    const block = sha256Hex(`${this.mark}:${BigInt(first) + BigInt(item)}:${fed}`);
    return `"${block.repeat(Math.floor(sizeBytes / 64) + 1).slice(0, sizeBytes - 2)}"`;
  }

  private jobFile(): Record<string, unknown> {
    const { kind, first, items, chunk, collect, recheck, attempts, isWarm } = this.plan;
    const args = (start: string, end: string, output: string) => [start, end, "--output", output, this.settingsName];
    const task = (item: number) => {
      const output = `out/t${item}.json`;
      return { id: `t${item}`, args: args(`${item}`, "+1", output), outputs: [output] };
    };
    const spread = {
      range: {
        range: [`unit:${first}`, `unit:${BigInt(first) + BigInt(items)}`],
        chunk,
        args: args("{start}", "{end}", "r.json"),
      },
      matrix: { matrix: { n: [0, items] }, args: args("{n}", "+1", "r.json") },
      tasks: { tasks: Array.from({ length: items }, (_, item) => task(item)) },
      queue: { params: { n: 0 }, args: args("{n}", "+1", "r.json") },
    }[kind as "range" | "matrix" | "tasks" | "queue"];
    return {
      name: this.name,
      kind,
      ...spread,
      script: "worker.py",
      ...(isWarm ? { worker: "warm" } : {}),
      inputs: [this.settingsName, ...(this.feed === undefined ? [] : ["feed.json"])],
      ...(kind === "tasks" ? {} : { outputs: ["r.json"] }),
      collect,
      retry: { attempts, backoff: "50ms" },
      ...(recheck === undefined ? {} : { canary: `${recheck}%` }),
      ...(this.aggregateName === undefined
        ? {}
        : { aggregate: { from: "r.json", as: "array", to: this.aggregateName } }),
    };
  }

  private jobsFile(): Record<string, unknown> {
    const { items, attempts, recheck } = this.plan;
    const jobs = Array.from({ length: items }, (_, item) => ({
      job_id: `t${item}`,
      script: "worker.py",
      args: [`${item}`, "+1", "--output", `out/t${item}.json`, this.settingsName],
    }));
    const canary = recheck === undefined ? {} : { canary: `${recheck}%` };
    return { name: this.name, jobs, retry: { attempts, backoff: "50ms" }, ...canary };
  }

  private get settingsName(): string {
    return `settings-${this.name}.json`;
  }

  private get log(): string {
    return `/var/tmp/chaos-${this.mark}`;
  }
}

/** Items of executions that are under way, and of the last ones that have ended: their agent may not have heard of that yet. */
function recent(executions: ChaosExecution[]): number[] {
  const just = executions.filter(({ ended }) => ended).slice(-8);
  return [...executions.filter(({ ended }) => !ended), ...just].flatMap(itemsIn);
}

/** The items of an execution. */
export function itemsIn({ first, end }: { first: number; end: number }): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}
