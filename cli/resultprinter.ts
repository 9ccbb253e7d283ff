import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { stdoutPath } from "../executor/job/resultpath.js";
import { addListener } from "../executor/run/addlistener.js";
import { readPieces } from "../executor/run/record/readpieces.js";
import type { RunObserver } from "../executor/run/runobserver.js";
import { printBytes, waitForStdout } from "./terminal.js";

const BLOCK_BYTES = 1 << 20;

/** Prints what the chunks of a run have printed, from its results: as it is committed, or in the order of the chunks. */
export class ResultPrinter {
  private path: string | undefined;
  private readonly printed = new Set<string>();
  /** Chunks that are committed or have failed, and are not printed yet. */
  private readonly waiting = new Map<string, "committed" | "failed">();
  private nextChunk = 0;
  private offset = 0;
  private rest = "";
  /** Chunks are printed one after another. */
  private turn: Promise<void> = Promise.resolve();

  /** `chunks`: in their order. `folder`: where results are published; undefined = in the run directory. */
  constructor(
    private readonly chunks: readonly string[],
    private readonly folder: string | undefined,
    private readonly keepsOrder: boolean,
  ) {}

  /** Returns an observer that notifies another one, and prints what has come. */
  observe(observer: RunObserver): RunObserver {
    return addListener(observer, {
      runStarted: (_, path) => {
        this.path = path;
        this.update();
      },
      chunkFailed: (failure) => {
        this.waiting.set(failure.chunk, "failed");
        this.printReady();
      },
      chunksCommitted: () => this.update(),
    });
  }

  /** Prints what has not been printed of the run in the directory `path`, which has ended. Resolves when it is written. */
  async finish(path: string): Promise<void> {
    this.path = path;
    // The lines of a complete run are in another order.
    this.offset = 0;
    this.rest = "";
    for (const chunk of this.readCommitted()) this.waiting.set(chunk, "committed");
    for (const chunk of this.chunks) if (this.waiting.get(chunk) === "committed") this.print(chunk);
    await this.turn;
  }

  private update(): void {
    for (const chunk of this.readCommitted()) this.waiting.set(chunk, "committed");
    this.printReady();
  }

  private printReady(): void {
    if (!this.keepsOrder) {
      for (const [chunk, state] of this.waiting) if (state === "committed") this.print(chunk);
      return;
    }
    for (; this.nextChunk < this.chunks.length; this.nextChunk++) {
      const chunk = this.chunks[this.nextChunk]!;
      const state = this.waiting.get(chunk);
      if (state === "committed") this.print(chunk);
      else if (state === undefined && !this.printed.has(chunk)) return;
    }
  }

  private print(chunk: string): void {
    this.waiting.delete(chunk);
    if (this.printed.has(chunk)) return;
    this.printed.add(chunk);
    const file = join(this.folder ?? join(this.path!, "results"), stdoutPath(chunk));
    this.turn = this.turn.then(async () => {
      for (const bytes of readPieces(file, 0)) {
        printBytes(bytes);
        await waitForStdout();
      }
    });
  }

  /** Returns the chunks of new lines of results.ndjson. */
  private readCommitted(): string[] {
    const file = join(this.path!, "results.ndjson");
    if (!existsSync(file)) return [];
    const fd = openSync(file, "r");
    try {
      const chunks: string[] = [];
      for (const { size } = fstatSync(fd); this.offset < size; ) {
        const block = Buffer.alloc(Math.min(BLOCK_BYTES, size - this.offset));
        const count = readSync(fd, block, 0, block.length, this.offset);
        if (count === 0) break;
        this.offset += count;
        const lines = (this.rest + block.toString("latin1", 0, count)).split("\n");
        this.rest = lines.pop()!;
        // Ids of chunks have ASCII characters only.
        chunks.push(...lines.map((line) => (JSON.parse(line) as { chunk: string }).chunk));
      }
      return chunks;
    } finally {
      closeSync(fd);
    }
  }
}
