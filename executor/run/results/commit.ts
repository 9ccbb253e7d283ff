import { closeSync, fsync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Job } from "../../job/job.js";
import type { Attempt } from "../../schedule/events.js";
import { IntervalSet } from "../../schedule/queue/intervalset.js";
import { killPoint } from "../killpoint.js";
import { type Journal, writeAll } from "../record/journal.js";
import type { Past } from "../record/past.js";
import { type Publication, publish, type Verified } from "./publish.js";
import { resultText } from "./results.js";

const sync = promisify(fsync);

/** Outputs larger than this are not repeated in results.ndjson. */
const OUTPUT_LIMIT = 64 << 10;
/** Most results that are committed together. */
const BATCH = 256;
/** Milliseconds that a group gathers for each result of the group before it, and at most: under load, groups grow. */
const GATHER = 2;
const GATHER_LIMIT = 120;

/** A result that is here and verified, but not committed. */
export interface Landed {
  attempt: Attempt;
  seconds: number;
  outputs: Verified[];
  /** Of the verified state of its node. */
  fingerprint: string | undefined;
  /** The text of the first output, where it is JSON (`asJson`). */
  json: string | undefined;
}

/**
 * Commits results in groups: published under their final names, then their lines in results.ndjson, then the journal, each on
 * disk before the next. While one group is being fsynced the next one gathers, so the cost of a disk is shared.
 */
export class Committer {
  private queue: Landed[] = [];
  private working: Promise<void> | undefined;
  private failed = false;
  private gathered = new AbortController();
  private readonly lines: number;
  private length: number;
  /** Units that are committed, or added to be. */
  private readonly units: IntervalSet;

  /**
   * `committed` is called with each group that is safe; `broken` when the disk fails: nothing is committed after
   * that. `underway`: attempts that are not committed yet, those that are here among them.
   */
  constructor(
    private readonly run: {
      path: string;
      partial: string;
      journal: Journal;
      job: Job;
      past: Pick<Past, "length" | "done">;
      elapsed: () => number;
    },
    private readonly committed: (attempts: Attempt[]) => void,
    private readonly broken: (error: unknown) => void,
    private readonly underway: () => number,
  ) {
    this.lines = openSync(join(run.path, "results.ndjson"), "a");
    this.length = run.past.length;
    this.units = new IntervalSet();
    for (const [start, end] of run.past.done) this.units.add(start, end);
  }

  /**
   * False, and nothing is done, where units of it are committed already. What is added after the disk has failed stays on its
   * node.
   */
  add(landed: Landed): boolean {
    const { start, end } = landed.attempt.chunk;
    if (this.units.overlaps(start, end)) return false;
    if (this.failed) return true;
    this.units.add(start, end);
    this.queue.push(landed);
    if (this.isAll()) this.gathered.abort();
    this.working ??= this.work();
    return true;
  }

  /** Resolves when everything added so far has been committed. */
  async settle(): Promise<void> {
    while (this.working !== undefined) await this.working;
  }

  close(): void {
    closeSync(this.lines);
  }

  /** Waits for more to commit together, as long as more is under way. */
  private async gather(milliseconds: number): Promise<void> {
    if (this.isAll()) return;
    this.gathered = new AbortController();
    await sleep(milliseconds, undefined, { signal: this.gathered.signal }).catch(() => {});
  }

  private isAll(): boolean {
    return this.queue.length >= Math.min(BATCH, this.underway());
  }

  private async work(): Promise<void> {
    try {
      for (let last = 1; this.queue.length > 0; ) {
        await this.gather(Math.min(GATHER_LIMIT, last * GATHER));
        const group = this.queue.splice(0, BATCH);
        last = group.length;
        await this.commit(group);
        this.committed(group.map((one) => one.attempt));
      }
    } catch (error) {
      this.failed = true;
      this.queue = [];
      this.broken(error);
    } finally {
      this.working = undefined;
    }
  }

  private async commit(group: Landed[]): Promise<void> {
    const { job, path, partial, journal } = this.run;
    if (job.collect === "files")
      await publish(
        join(path, "results"),
        partial,
        group.flatMap((one) => publications(job, one)),
      );
    killPoint("published");
    const lines = group.map((landed) => Buffer.from(lineOf(landed)));
    writeAll(this.lines, Buffer.concat(lines));
    await sync(this.lines);
    killPoint("lined");
    const at = this.run.elapsed();
    group.forEach(({ attempt }, index) => {
      const { id, start, end } = attempt.chunk;
      this.length += lines[index]!.length;
      journal.add({
        e: "done",
        chunk: id,
        start: `${start}`,
        end: `${end}`,
        length: this.length,
        at: index === 0 ? at : undefined,
      });
    });
    await journal.flush();
    killPoint("journaled");
    for (const { content } of job.collect === "lines" ? group.flatMap((one) => one.outputs) : [])
      if ("pulled" in content) rmSync(content.pulled, { force: true });
  }
}

/** The text of an output, where that is one JSON value; undefined for anything else, and for what is larger than `limit`. */
export function asJson(output: Verified | undefined, limit = OUTPUT_LIMIT): string | undefined {
  if (output === undefined || output.size > limit) return undefined;
  const text = ("bytes" in output.content ? output.content.bytes : readFileSync(output.content.pulled)).toString(
    "utf8",
  );
  try {
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}

function publications(job: Job, landed: Landed): Publication[] {
  const folder = job.kind === "tasks" ? "" : landed.attempt.chunk.id;
  return landed.outputs.map((output) => ({ target: join(folder, output.path), output }));
}

function lineOf(landed: Landed): string {
  const { attempt, seconds, outputs, fingerprint, json } = landed;
  return resultText({
    chunk: attempt.chunk.id,
    node: attempt.node,
    slot: attempt.slot,
    attempt: attempt.number,
    seconds,
    sha256: outputs[0]?.sha256 ?? "",
    state: fingerprint,
    output: json,
  });
}
