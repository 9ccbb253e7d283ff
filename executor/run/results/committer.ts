import { closeSync, fsync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Job } from "../../job/job.js";
import type { Attempt } from "../../schedule/events.js";
import { IntervalSet } from "../../schedule/queue/intervalset.js";
import { failpoint } from "../failpoint.js";
import { type Journal, writeAll } from "../record/journal.js";
import type { RunReplay } from "../record/replay.js";
import { formatResultLine } from "../record/resultlines.js";
import { type Publication, publish, type VerifiedOutput } from "./publish.js";

const fsyncFile = promisify(fsync);

/** Outputs larger than this are not repeated in results.ndjson. */
const MAX_LINE_OUTPUT_BYTES = 64 << 10;
/** Most results that are committed together. */
const MAX_GROUP_SIZE = 256;
/** Milliseconds that a group gathers for each result of the group before it, and at most: under load, groups grow. */
const GATHER_MS_PER_RESULT = 2;
const MAX_GATHER_MS = 120;

/** A result that is here and verified, but not committed. */
export interface CollectedResult {
  attempt: Attempt;
  seconds: number;
  outputs: VerifiedOutput[];
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
  private queue: CollectedResult[] = [];
  private commitLoop: Promise<void> | undefined;
  private failed = false;
  private gatherAbort = new AbortController();
  private readonly resultsFd: number;
  private resultsBytes: number;
  /** Units that are committed, or added to be. */
  private readonly committedUnits: IntervalSet;

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
      past: Pick<RunReplay, "resultsBytes" | "committedUnits">;
      elapsed: () => number;
    },
    private readonly onCommitted: (attempts: Attempt[]) => void,
    private readonly onDiskError: (error: unknown) => void,
    private readonly inFlightCount: () => number,
  ) {
    this.resultsFd = openSync(join(run.path, "results.ndjson"), "a");
    this.resultsBytes = run.past.resultsBytes;
    this.committedUnits = new IntervalSet();
    for (const [start, end] of run.past.committedUnits) this.committedUnits.add(start, end);
  }

  /**
   * False, and nothing is done, where units of it are committed already. What is added after the disk has failed stays on its
   * node.
   */
  add(landed: CollectedResult): boolean {
    const { start, end } = landed.attempt.chunk;
    if (this.committedUnits.overlaps(start, end)) return false;
    if (this.failed) return true;
    this.committedUnits.add(start, end);
    this.queue.push(landed);
    if (this.hasWholeGroup()) this.gatherAbort.abort();
    this.commitLoop ??= this.commitQueued();
    return true;
  }

  /** Resolves when everything added so far has been committed. */
  async settle(): Promise<void> {
    while (this.commitLoop !== undefined) await this.commitLoop;
  }

  close(): void {
    closeSync(this.resultsFd);
  }

  /** Waits for more to commit together, as long as more is under way. */
  private async gather(milliseconds: number): Promise<void> {
    if (this.hasWholeGroup()) return;
    this.gatherAbort = new AbortController();
    await sleep(milliseconds, undefined, { signal: this.gatherAbort.signal }).catch(() => {});
  }

  private hasWholeGroup(): boolean {
    return this.queue.length >= Math.min(MAX_GROUP_SIZE, this.inFlightCount());
  }

  private async commitQueued(): Promise<void> {
    try {
      for (let last = 1; this.queue.length > 0; ) {
        await this.gather(Math.min(MAX_GATHER_MS, last * GATHER_MS_PER_RESULT));
        const group = this.queue.splice(0, MAX_GROUP_SIZE);
        last = group.length;
        await this.commit(group);
        this.onCommitted(group.map((one) => one.attempt));
      }
    } catch (error) {
      this.failed = true;
      this.queue = [];
      this.onDiskError(error);
    } finally {
      this.commitLoop = undefined;
    }
  }

  private async commit(group: CollectedResult[]): Promise<void> {
    const { job, path, partial, journal } = this.run;
    if (job.collect === "files")
      await publish(
        join(path, "results"),
        partial,
        group.flatMap((one) => toPublications(job, one)),
      );
    failpoint("published");
    const lines = group.map((landed) => Buffer.from(toResultLine(landed)));
    writeAll(this.resultsFd, Buffer.concat(lines));
    await fsyncFile(this.resultsFd);
    failpoint("lined");
    const at = this.run.elapsed();
    group.forEach(({ attempt }, index) => {
      const { id, start, end } = attempt.chunk;
      this.resultsBytes += lines[index]!.length;
      journal.add({
        e: "done",
        chunk: id,
        start: `${start}`,
        end: `${end}`,
        length: this.resultsBytes,
        at: index === 0 ? at : undefined,
      });
    });
    await journal.flush();
    failpoint("journaled");
    for (const { content } of job.collect === "lines" ? group.flatMap((one) => one.outputs) : [])
      if ("pulled" in content) rmSync(content.pulled, { force: true });
  }
}

/** The text of an output, where that is one JSON value; undefined for anything else, and for what is larger than `limit`. */
export function readJsonText(output: VerifiedOutput | undefined, limit = MAX_LINE_OUTPUT_BYTES): string | undefined {
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

function toPublications(job: Job, landed: CollectedResult): Publication[] {
  const folder = job.kind === "tasks" ? "" : landed.attempt.chunk.id;
  return landed.outputs.map((output) => ({ target: join(folder, output.path), output }));
}

function toResultLine(landed: CollectedResult): string {
  const { attempt, seconds, outputs, fingerprint, json } = landed;
  return formatResultLine({
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
