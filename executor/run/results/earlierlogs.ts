import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { LOG_STREAMS, listEarlierLogs } from "../record/logfiles.js";

/** How many logs of earlier attempts a run keeps, and how many bytes; what comes later is dropped. */
const MAX_FILES = 2000;
const MAX_BYTES = 256 << 20;

/** Keeps the logs of earlier attempts of a run in logs/attempts/CHUNK/N.out and N.err, up to a number of files and bytes. */
export class EarlierLogs {
  private usage: { files: number; bytes: number } | undefined;

  constructor(private readonly logs: string) {}

  /**
   * Moves the logs of a chunk out of logs/, because those of another attempt follow. `attempt`: the number of the attempt that they are of.
   * A number that an attempt of an earlier session has is not used twice: they get the next one.
   */
  moveAside(chunk: string, attempt: number): void {
    const names = LOG_STREAMS.map((stream) => ({ stream, from: join(this.logs, `${chunk}.${stream}`) }));
    const found = names.filter(({ from }) => existsSync(from));
    if (found.length === 0) return;
    const { folder, number } = this.findPlace(chunk, attempt);
    for (const { stream, from } of found) {
      if (!this.reserve(statSync(from).size)) rmSync(from, { force: true });
      else {
        mkdirSync(folder, { recursive: true });
        renameSync(from, join(folder, `${number}.${stream}`));
      }
    }
  }

  /** Returns where the logs of an attempt go: its number, or the next one after those that the chunk has. */
  private findPlace(chunk: string, attempt: number): { folder: string; number: number } {
    const folder = join(this.logs, "attempts", chunk);
    const last = Math.max(0, ...listEarlierLogs(this.logs, chunk));
    return { folder, number: Math.max(attempt, last + 1) };
  }

  /** Counts a file that is about to be kept. Returns false where the run keeps enough already. */
  private reserve(bytes: number): boolean {
    this.usage ??= measure(join(this.logs, "attempts"));
    const { usage } = this;
    if (usage.files >= MAX_FILES || usage.bytes + bytes > MAX_BYTES) return false;
    usage.files++;
    usage.bytes += bytes;
    return true;
  }
}

/** Counts what earlier sessions have kept. */
function measure(folder: string): { files: number; bytes: number } {
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  const files = names.filter((one) => one.isFile());
  const sizes = files.map(({ parentPath, name }) => statSync(join(parentPath, name)).size);
  return { files: files.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
