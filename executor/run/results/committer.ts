import { closeSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fsyncFile, writeAll } from "../../../schemas/filewrites.js";
import type { Job } from "../../job/job.js";
import type { Attempt } from "../../schedule/events.js";
import { IntervalSet } from "../../schedule/queue/intervalset.js";
import { failpoint } from "../failpoint.js";
import { formatResultLine, type ResultLine } from "../record/resultlines.js";
import type { ResultsFolder } from "../record/resultsfolder.js";
import type { RunDirectory } from "../record/rundir.js";
import type { CollectedResult } from "./collectedresult.js";
import { listPublications, publishGroup } from "./publishgroup.js";

const MAX_GROUP_SIZE = 256;
/** How long a group waits for more results, for each result of the previous group: groups grow under load. */
const GATHER_MS_PER_RESULT = 2;
const MAX_GATHER_MS = 120;

export interface CommitterOptions {
  job: Job;
  directory: Pick<RunDirectory, "path" | "journal" | "replay" | "results" | "elapsedSeconds">;
  /** Called with each group when it is safe on disk. */
  onCommitted: (results: CollectedResult[]) => void;
  /** Called with an attempt whose outputs cannot be published, because other files have their names. */
  onRefused: (attempt: Attempt, reason: string) => void;
  /** Called when the disk fails. Nothing is committed after that. */
  onDiskError: (error: unknown) => void;
  /** Returns how many attempts are not committed yet, those that are being collected included. */
  inFlightCount: () => number;
}

/**
 * Commits results by group commit: first outputs get their final names, then their lines go into results.ndjson, then the journal is
 * written, each fsynced before the next. While one group is being fsynced the next one gathers, so results share the cost of an fsync.
 */
export class Committer {
  private queue: CollectedResult[] = [];
  private commitLoop: Promise<void> | undefined;
  private hasFailed = false;
  private gatherAbort = new AbortController();
  private readonly resultsFd: number;
  private resultsBytes: number;
  /** Units that are committed or queued. */
  private readonly committedUnits = new IntervalSet();

  constructor(private readonly options: CommitterOptions) {
    const { path, replay } = options.directory;
    this.resultsFd = openSync(join(path, "results.ndjson"), "a");
    this.resultsBytes = replay.resultsBytes;
    for (const [start, end] of replay.committedUnits) this.committedUnits.add(start, end);
  }

  /**
   * Queues a result. Returns false, and does nothing, if some of its units are committed or queued already. After the disk has failed it
   * returns true and drops the result, which stays on its node.
   */
  add(result: CollectedResult): boolean {
    const { start, end } = result.attempt.chunk;
    if (this.committedUnits.overlaps(start, end)) return false;
    if (this.hasFailed) return true;
    this.committedUnits.add(start, end);
    this.queue.push(result);
    if (this.hasWholeGroup()) this.gatherAbort.abort();
    this.commitLoop ??= this.commitQueued();
    return true;
  }

  /** Whether some units of [start, end) are committed or queued. */
  hasUnits(start: bigint, end: bigint): boolean {
    return this.committedUnits.overlaps(start, end);
  }

  /** Resolves when everything that was queued is committed. */
  async settle(): Promise<void> {
    while (this.commitLoop !== undefined) await this.commitLoop;
  }

  close(): void {
    closeSync(this.resultsFd);
  }

  /** Waits for more results, if more attempts are in flight. */
  private async gather(timeoutMs: number): Promise<void> {
    if (this.hasWholeGroup()) return;
    this.gatherAbort = new AbortController();
    await sleep(timeoutMs, undefined, { signal: this.gatherAbort.signal }).catch(() => {});
  }

  private hasWholeGroup(): boolean {
    return this.queue.length >= Math.min(MAX_GROUP_SIZE, this.options.inFlightCount());
  }

  private async commitQueued(): Promise<void> {
    try {
      for (let lastSize = 1; this.queue.length > 0; ) {
        await this.gather(Math.min(MAX_GATHER_MS, lastSize * GATHER_MS_PER_RESULT));
        const group = this.queue.splice(0, MAX_GROUP_SIZE);
        lastSize = group.length;
        const published = await this.publish(group);
        if (published.length === 0) continue;
        await this.commit(published);
        this.options.onCommitted(published);
      }
    } catch (error) {
      this.hasFailed = true;
      this.queue = [];
      this.options.onDiskError(error);
    } finally {
      this.commitLoop = undefined;
    }
  }

  /** Returns the results whose outputs are published. The others are refused. */
  private async publish(group: CollectedResult[]): Promise<CollectedResult[]> {
    const { job, directory, onRefused } = this.options;
    if (job.collect === "lines") return group;
    const refused = await publishGroup(directory, group);
    return group.filter(({ attempt }) => {
      const { id, start, end } = attempt.chunk;
      const reason = refused.get(id);
      if (reason === undefined) return true;
      this.committedUnits.remove(start, end);
      onRefused(attempt, reason);
      return false;
    });
  }

  private async commit(group: CollectedResult[]): Promise<void> {
    const { job, directory } = this.options;
    const { journal, elapsedSeconds } = directory;
    failpoint("published");
    const lines = group.map((result) => Buffer.from(toResultLine(result, directory.results)));
    writeAll(this.resultsFd, Buffer.concat(lines));
    await fsyncFile(this.resultsFd);
    failpoint("lined");
    const at = elapsedSeconds();
    group.forEach(({ attempt, ended, isStopped }, index) => {
      const { id, start, end } = attempt.chunk;
      this.resultsBytes += lines[index]!.length;
      journal.add({
        e: "done",
        chunk: id,
        start: `${start}`,
        end: `${end}`,
        length: this.resultsBytes,
        at: index === 0 ? at : undefined,
        ended,
        stopped: isStopped || undefined,
      });
    });
    await journal.flush();
    failpoint("journaled");
    for (const { content } of job.collect === "lines" ? group.flatMap((one) => one.outputs) : [])
      if ("pulled" in content) rmSync(content.pulled, { force: true });
  }
}

function toResultLine(result: CollectedResult, results: ResultsFolder): string {
  const { attempt, seconds, outputs, fingerprint, json, gpus, cards, usage, values, isStopped } = result;
  return formatResultLine({
    chunk: attempt.chunk.id,
    node: attempt.node,
    slot: attempt.slot,
    gpus,
    cards,
    usage,
    attempt: attempt.number,
    seconds,
    sha256: outputs[0]?.sha256 ?? "",
    state: fingerprint,
    files: attempt.chunk.spec.found && listFiles(result, results),
    values,
    stopped: isStopped || undefined,
    output: json,
  });
}

/** Returns the published files of a result, as a line of results.ndjson lists them. */
function listFiles(result: CollectedResult, results: ResultsFolder): ResultLine["files"] {
  return listPublications(results, result).map(({ target, output: { size, sha256 } }) => ({
    path: target,
    size,
    sha256,
  }));
}
