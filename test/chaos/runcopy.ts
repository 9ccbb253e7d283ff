import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readJournal } from "../faults/checks.js";
import { itemsIn } from "./chaosjob.js";
import type { MusterProcess } from "./musterprocess.js";
import type { PlacedJob, Workload } from "./workload.js";

/** Matches the warning about a node that may still hold data. */
const LEFTOVER_WARNING = /^(?:\[\w+\] )?(\w+): .*(?:could not be reached at the end|may still hold)/gm;

/** The items of a committed chunk. */
export interface CommittedItems {
  chunk: string;
  first: number;
  end: number;
}

/** A run directory of the workload: the original or a copy. */
export class RunCopy {
  /** The last `muster run` on it. */
  process: MusterProcess | undefined;
  /** `refused`: its nodes belong to another copy. `stuck`: it does not finish. */
  state: "open" | "complete" | "partial" | "refused" | "stuck" = "open";

  constructor(
    public path: string,
    readonly name: string,
    private readonly workload: Workload,
  ) {}

  /** The run directory of one of its jobs. */
  folderOf({ step }: PlacedJob): string {
    return join(this.path, step);
  }

  get hasJournal(): boolean {
    return existsSync(join(this.path, "journal.ndjson"));
  }

  /** Whether its coordinator is running. */
  get isRunning(): boolean {
    return this.process !== undefined && !this.process.isOver;
  }

  /** Returns the committed chunks of a job in the order of its journal. */
  committedOf(placed: PlacedJob): CommittedItems[] {
    return readJournal(this.folderOf(placed)).flatMap((entry) => {
      if (entry.e !== "done") return [];
      const [first, end] = placed.job.itemsOf(entry.start, entry.end);
      return [{ chunk: entry.chunk, first, end }];
    });
  }

  /** Returns the rechecked chunks of a job. */
  recheckedOf(placed: PlacedJob): CommittedItems[] {
    const rechecked = new Set(
      readJournal(this.folderOf(placed)).flatMap((entry) => (entry.e === "canary" ? [entry.chunk] : [])),
    );
    return this.committedOf(placed).filter(({ chunk }) => rechecked.has(chunk));
  }

  /** Whether only the chunks that always fail have failed. Others may have failed on a full disk; the next run retries them. */
  hasFailedAsPlanned(): boolean {
    return this.workload.jobs.every((placed) => {
      const file = join(this.folderOf(placed), "summary.json");
      const failed = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).chunks.failed : 0;
      return failed === (placed.job.plan.chunkFault?.times === "always" ? 1 : 0);
    });
  }

  /** Returns the number of coordinators that have worked on a job. */
  sessionsOf(placed: PlacedJob): number {
    return readJournal(this.folderOf(placed)).filter(({ e }) => e === "open").length;
  }

  /** Returns the nodes whose chunks of a job were requeued, once for each time. */
  lostNodes(placed: PlacedJob): string[] {
    return readJournal(this.folderOf(placed)).flatMap((entry) =>
      entry.e === "node" && entry.state === "away" ? [entry.node] : [],
    );
  }

  /** Returns the keys of all committed items. */
  committed(): Set<string> {
    const keys = this.workload.jobs.flatMap((placed) =>
      this.committedOf(placed).flatMap((one) => itemsIn(one).map((item) => keyOf(placed, item))),
    );
    return new Set(keys);
  }

  /** Returns the nodes that may still hold data according to the summaries or the last coordinator. */
  findUnreachedNodes(): string[] {
    const warned = [...(this.process?.stderr.matchAll(LEFTOVER_WARNING) ?? [])].map((match) => match[1]!);
    const listed = this.workload.jobs.flatMap((placed) => {
      const { nodes = [], leftovers = [] } = summaryIn(this.folderOf(placed)) ?? {};
      return [...nodes.filter(({ state }) => state !== "live"), ...leftovers].map(({ node }) => node);
    });
    return [...warned, ...listed];
  }
}

/** Returns the key of an item, which is unique among all jobs. */
export function keyOf({ job }: PlacedJob, item: number): string {
  return `${job.name}:${item}`;
}

interface SummaryFile {
  nodes?: { node: string; state: string }[];
  leftovers?: { node: string }[];
}

function summaryIn(folder: string): SummaryFile | undefined {
  const file = join(folder, "summary.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}
