import { join } from "node:path";
import { stdoutPath } from "../executor/job/resultpath.js";
import { addListener } from "../executor/run/addlistener.js";
import { CommittedLines, countCommittedBytes } from "../executor/run/record/committedlines.js";
import { readPieces } from "../executor/run/record/readpieces.js";
import type { RunObserver } from "../executor/run/runobserver.js";
import type { ResultOutput } from "./resultoutput.js";
import { printBytes, waitForStdout } from "./terminal.js";

/** Prints what the chunks of a run have printed, from its results: as it is committed, or in the order of the chunks. */
export class ResultPrinter implements ResultOutput {
  private path: string | undefined;
  private readonly printed = new Set<string>();
  /** Chunks that are committed or have failed, and are not printed yet. */
  private readonly waiting = new Map<string, "committed" | "failed">();
  private nextChunk = 0;
  private lines: CommittedLines | undefined;
  /** Chunks are printed one after another. */
  private turn: Promise<void> = Promise.resolve();

  /** `chunks`: in their order. `folder`: where results are published; undefined = in the run directory. */
  constructor(
    private readonly chunks: readonly string[],
    private readonly folder: string | undefined,
    private readonly keepsOrder: boolean,
  ) {}

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

  async finish(path: string): Promise<void> {
    this.path = path;
    for (const chunk of this.readCommitted()) this.waiting.set(chunk, "committed");
    for (const chunk of this.chunks) if (this.waiting.get(chunk) === "committed") this.print(chunk);
    await this.turn;
    this.lines?.close();
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

  /** Returns the chunks that have been committed since the last call. */
  private readCommitted(): string[] {
    const path = this.path!;
    this.lines ??= new CommittedLines(path);
    // Ids of chunks have ASCII characters only.
    return [...this.lines.read(countCommittedBytes(path))].map((line) => (JSON.parse(line) as { chunk: string }).chunk);
  }
}
