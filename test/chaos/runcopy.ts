import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readJournal } from "../faults/checks.js";
import { itemsIn } from "./chaosjob.js";
import type { MusterProcess } from "./musterprocess.js";
import type { PlacedJob, Workload } from "./workload.js";

/** What is said of a node on which something may be left. */
const LEFTOVER_WARNING = /^(?:\[\w+\] )?(\w+): .*(?:could not be reached at the end|may still hold)/gm;

/** A chunk that a journal has as committed; its items. */
export interface CommittedItems {
  chunk: string;
  first: number;
  end: number;
}

/** A run directory of the work: the original, or a copy of it. */
export class RunCopy {
  /** The last `muster run` of it. */
  process: MusterProcess | undefined;
  /** How it stands: `refused` is one whose nodes belong to another copy, `stuck` one that does not come to its end. */
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

  /** Whether a coordinator lives that works on it. */
  get isRunning(): boolean {
    return this.process !== undefined && !this.process.isOver;
  }

  /** What the journal of a job has as committed, in that order. */
  committedOf(placed: PlacedJob): CommittedItems[] {
    return readJournal(this.folderOf(placed)).flatMap((entry) => {
      if (entry.e !== "done") return [];
      const [first, end] = placed.job.itemsOf(entry.start, entry.end);
      return [{ chunk: entry.chunk, first, end }];
    });
  }

  /** The chunks of a job that were computed again and compared. */
  recheckedOf(placed: PlacedJob): CommittedItems[] {
    const again = new Set(
      readJournal(this.folderOf(placed)).flatMap((entry) => (entry.e === "canary" ? [entry.chunk] : [])),
    );
    return this.committedOf(placed).filter(({ chunk }) => again.has(chunk));
  }

  /** Whether no chunk failed but those that always do. Others may have failed on a full disk, and are tried again by the next run. */
  hasFailedAsPlanned(): boolean {
    return this.workload.jobs.every((placed) => {
      const file = join(this.folderOf(placed), "summary.json");
      const failed = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).chunks.failed : 0;
      return failed === (placed.job.plan.misdeed?.times === "always" ? 1 : 0);
    });
  }

  /** How many coordinators have worked on a job. */
  sessionsOf(placed: PlacedJob): number {
    return readJournal(this.folderOf(placed)).filter(({ e }) => e === "open").length;
  }

  /** The nodes whose chunks of a job were given to others, as often as that happened. */
  lostNodes(placed: PlacedJob): string[] {
    return readJournal(this.folderOf(placed)).flatMap((entry) =>
      entry.e === "node" && entry.state === "away" ? [entry.node] : [],
    );
  }

  /** Keys of all committed items. */
  committed(): Set<string> {
    const keys = this.workload.jobs.flatMap((placed) =>
      this.committedOf(placed).flatMap((one) => itemsIn(one).map((item) => keyOf(placed, item))),
    );
    return new Set(keys);
  }

  /** Nodes that may hold something still, as summaries say, or the last coordinator said at its end. */
  findUnreachedNodes(): string[] {
    const told = [...(this.process?.said.matchAll(LEFTOVER_WARNING) ?? [])].map((match) => match[1]!);
    const listed = this.workload.jobs.flatMap((placed) => {
      const { nodes = [], leftovers = [] } = summaryIn(this.folderOf(placed)) ?? {};
      return [...nodes.filter(({ state }) => state !== "live"), ...leftovers].map(({ node }) => node);
    });
    return [...told, ...listed];
  }
}

/** Names an item among those of all jobs. */
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
