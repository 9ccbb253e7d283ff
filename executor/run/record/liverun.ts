import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../../schemas/filewrites.js";
import type { Job } from "../../job/job.js";
import type { ChunkOverhead } from "../../schedule/rates/chunkoverhead.js";
import type { ChunkOutcomes } from "./chunkoutcomes.js";
import type { NodeConnectionState } from "./journalentry.js";
import type { GpuUsage } from "./usagesums.js";

/** A newer muster may give the file another form, which this one does not read. */
export const LIVE_VERSION = 1;
/** The reason of a slot that gets no work because its node leaves. */
export const ENDS_TOO_SOON = "its node ends before another chunk would";
/** So that the file stays small with thousands of slots. */
export const MAX_LIVE_SLOTS = 4096;
export const MAX_LIVE_NODES = 1024;
const WRITE_INTERVAL_MS = 1000;
/** So that `written` says until when a coordinator that was killed had lived, though nothing changed. */
const MAX_AGE_MS = 10_000;
/** Writing takes at most this share of the time. */
const MAX_WRITE_SHARE = 0.02;

/** What a run does now: the content of live.json. Numbers of units are decimal, times are ISO 8601. */
export interface LiveRun {
  version: number;
  name: string;
  kind: Job["kind"];
  /** The coordinator that wrote this, as the journal's last `open` record has it. */
  session: number;
  pid: number;
  host: string;
  /** When the session began. */
  since: string;
  /** When something was last written. */
  written: string;
  chunks: ChunkOutcomes;
  /** `session`: of `done`, those of this session. */
  units: { done: string; session: string; total: string };
  /** Units that do not run, queued ones included. `seconds`: how long all usable slots together need for them; absent = unknown. */
  waiting: { units: string; seconds?: number };
  /** Of a queue: whether more tasks may come. */
  queue?: "open" | "closed";
  /** Tasks that the `ask` program wanted to add in this session, and that were refused; absent if there are none. */
  refusedTasks?: number;
  running: number;
  usableSlots: number;
  /** The number of results that are being collected. */
  collecting: number;
  /** What chunks have cost beside their work, if the job's `chunk` makes that more than a tenth of it. */
  overhead?: ChunkOverhead;
  /** What GPUs used for the results of this session; absent where there are no samples. */
  usage?: LiveUsage;
  nodes: LiveNode[];
  slots: LiveSlot[];
  /** Allocations of clusters that do not work yet; absent if there are none. */
  pilots?: LivePilot[];
  /** How many nodes and slots are left out, because there are too many. */
  omitted?: { nodes: number; slots: number };
}

/** An allocation of a cluster that was asked for. `reason`: why it waits, in the cluster's words. */
export interface LivePilot {
  cluster: string;
  /** Absent = its submission has not been answered. */
  id?: string;
  state: "submitting" | "pending" | "starting";
  reason?: string;
}

/** Totals of the results of this session. */
export type LiveUsage = Pick<GpuUsage, "wattHours" | "unitsPerWattHour" | "cost" | "throttled" | "idleSeconds">;

export interface LiveNode {
  node: string;
  state: NodeConnectionState;
  /** Why it is not live. */
  reason?: string;
  slots: number;
  running: number;
  disabledSlots: number;
  memoryWaitingSlots: number;
  /** "drained until 18:00 (new fans)": it gets no new chunks. */
  drained?: string;
  /** When it leaves (such as the end of its allocation); absent = it stays. */
  until?: string;
  /** Committed in this session. */
  chunks: number;
  units: string;
  failedAttempts: number;
  usage?: LiveUsage;
}

export interface LiveSlot {
  node: string;
  slot: number;
  gpu?: number;
  /** The PCI address of its GPU; absent = unknown. */
  pci?: string;
  /** Why it gets no work. */
  reason?: string;
  /** Units a second, as it was measured; absent = not measured, or no job of a range. */
  rate?: number;
  /** How many further attempts wait on it. */
  queued?: number;
  running?: LiveAttempt;
}

export interface LiveAttempt {
  chunk: string;
  /** Counted from 1. */
  attempt: number;
  units: string;
  /** All slots that it runs on, where it needs several. */
  slots?: readonly number[];
  since: string;
  /** How long it should take in all, by what was measured on its slot; absent = unknown. */
  expectedSeconds?: number;
  /** The share (0 to 1) that the program has reported, and when it last changed; absent = it reports none. */
  progress?: number;
  progressAt?: string;
  /** Of a range: the units that are done, if the program counts them. */
  unitsDone?: string;
  /** The intermediate value that its program has reported last; null where that is no finite number. */
  value?: { step: number; value: number | null };
  /** What it does, in its program's words; or why it is being ended. */
  text?: string;
  /** The run of higher priority for which it is being ended. */
  preemptedBy?: string;
  /** Whether another attempt at the same chunk runs, or had a result. */
  isCopy?: true;
}

/** Returns what the coordinator of session `session` wrote last; undefined where it wrote nothing that this muster can read. */
export function readLiveRun(path: string, session: number): LiveRun | undefined {
  const live = readLastLiveRun(path);
  return live?.session === session ? live : undefined;
}

/** Returns what the last coordinator wrote last: it is over where no coordinator is alive. */
export function readLastLiveRun(path: string): LiveRun | undefined {
  try {
    const live = JSON.parse(readFileSync(join(path, "live.json"), "utf8")) as LiveRun;
    return live.version === LIVE_VERSION ? live : undefined;
  } catch {
    return undefined;
  }
}

/** Removes what a coordinator wrote about what it runs. */
export function removeLiveRun(path: string): void {
  for (const name of ["live.json", "live.json.partial"])
    attemptQuietly(() => rmSync(join(path, name), { force: true }));
}

/**
 * Keeps live.json in the run directory `path` up to date: replaced atomically, at most once a second, where something has changed or ten
 * seconds have passed. It is not fsynced, and a write that fails is left out, because a run does not depend on it.
 */
export class LiveFile {
  private last: LiveRun;
  private lastText = "";
  private writtenAtMs = 0;
  private readonly file: string;
  private readonly mode: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly path: string,
    private readonly build: () => LiveRun,
  ) {
    this.file = join(path, "live.json");
    this.mode = statSync(join(path, "journal.ndjson")).mode & 0o666;
    const began = performance.now();
    this.last = build();
    this.save(began);
  }

  /** What the run does, as of a second ago at most. */
  get current(): LiveRun {
    return this.last;
  }

  /** Removes the file. `current` is from this moment then. */
  close(): void {
    clearTimeout(this.timer);
    this.last = this.build();
    removeLiveRun(this.path);
  }

  private update(): void {
    const began = performance.now();
    this.last = this.build();
    this.save(began);
  }

  /** Writes what was built, where it differs, and plans the next update. `began`: when the building began. */
  private save(began: number): void {
    const text = JSON.stringify({ ...this.last, written: undefined });
    if (text !== this.lastText || began - this.writtenAtMs >= MAX_AGE_MS) attemptQuietly(() => this.write(text));
    const pauseMs = Math.max(WRITE_INTERVAL_MS, (performance.now() - began) / MAX_WRITE_SHARE);
    this.timer = setTimeout(() => this.update(), pauseMs);
    this.timer.unref();
  }

  private write(text: string): void {
    writeFileAtomic(this.file, `${JSON.stringify(this.last)}\n`, this.mode);
    this.lastText = text;
    this.writtenAtMs = performance.now();
  }
}

function attemptQuietly(act: () => void): void {
  try {
    act();
  } catch {
    // The next update tries again.
  }
}
