import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Failure } from "../../schedule/events.js";
import { replayRun } from "../record/replay.js";

/** A result, by its place in results.ndjson. */
type ResultPlace = { readonly offset: number; readonly bytes: number };

/** A result, a chunk that failed for good, or a task that was cancelled. */
export type ChunkOutcome = ResultPlace | { readonly failure: Failure } | { readonly cancelled: string };

const BLOCK_BYTES = 1 << 18;
const LINE_BREAK = 10;
const CHUNK_KEY = '{"chunk":';
const MAX_CHUNK_ID_BYTES = 2048;

/**
 * What the chunks of a run came to, in the order of their commits: the results and cancelled tasks of all sessions, and the failures of this
 * one, since what failed earlier is tried again. Only places are in memory.
 */
export class Outcomes {
  private readonly list: ChunkOutcome[] = [];
  /** Where the next result begins in the file. */
  private end = 0;

  private constructor(private readonly fd: number) {}

  /** Opens the results of the run in the directory `path`, of which `committedBytes` are committed. */
  static open(path: string, committedBytes: number): Outcomes {
    const outcomes = new Outcomes(openSync(join(path, "results.ndjson"), "r"));
    outcomes.scan((end) => end <= committedBytes);
    outcomes.sortByCommit(path);
    return outcomes;
  }

  get count(): number {
    return this.list.length;
  }

  get(index: number): ChunkOutcome {
    return this.list[index]!;
  }

  /** Adds the next `count` results, which were committed. */
  addResults(count: number): void {
    let left = count;
    this.scan(() => left-- > 0);
  }

  addFailure(failure: Failure): void {
    this.list.push({ failure });
  }

  addCancelled(chunk: string): void {
    this.list.push({ cancelled: chunk });
  }

  /** Returns the line of a result, without its line break. */
  readLine({ offset, bytes }: ResultPlace): string {
    const line = Buffer.alloc(bytes);
    readSync(this.fd, line, 0, bytes, offset);
    return line.toString("utf8", 0, bytes - 1);
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Adds results from the end on, as long as `isMeant` accepts where they end. */
  private scan(isMeant: (end: number) => boolean): void {
    const block = Buffer.alloc(BLOCK_BYTES);
    for (let position = this.end; ; ) {
      const read = readSync(this.fd, block, 0, BLOCK_BYTES, position);
      if (read === 0) return;
      for (let at = block.indexOf(LINE_BREAK); at >= 0 && at < read; at = block.indexOf(LINE_BREAK, at + 1)) {
        const end = position + at + 1;
        if (!isMeant(end)) return;
        this.list.push({ offset: this.end, bytes: end - this.end });
        this.end = end;
      }
      position += read;
    }
  }

  /** The lines of a session that ended with failures are in chunk order. */
  private sortByCommit(path: string): void {
    const order = new Map<string, number>();
    replayRun(path, (entry) => {
      if (entry.e === "cancelled") this.addCancelled(entry.chunk);
      if (entry.e === "done" || entry.e === "cancelled") order.set(entry.chunk, order.size);
    });
    const keyed = this.list.map((one) => ({ one, key: order.get(this.chunkOf(one)) ?? 0 }));
    keyed.sort((a, b) => a.key - b.key);
    this.list.splice(0, this.list.length, ...keyed.map(({ one }) => one));
  }

  private chunkOf(outcome: ChunkOutcome): string {
    if ("offset" in outcome) return this.readChunk(outcome);
    return "failure" in outcome ? outcome.failure.chunk : outcome.cancelled;
  }

  private readChunk({ offset, bytes }: ResultPlace): string {
    const head = Buffer.alloc(Math.min(bytes, MAX_CHUNK_ID_BYTES));
    readSync(this.fd, head, 0, head.length, offset);
    const text = head.toString();
    return JSON.parse(text.slice(CHUNK_KEY.length, text.indexOf('","node":') + 1)) as string;
  }
}
