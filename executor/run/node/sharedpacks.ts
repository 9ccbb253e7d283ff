import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Semaphore } from "../../../fleet/semaphore.js";
import type { FileContent } from "../record/filehashes.js";
import { type ContentPack, packContents } from "./contentpacker.js";
import { createInputChangedError, explainMissing } from "./inputchanges.js";

/** How many packs that no node is being sent are kept for nodes that join a moment later. */
const MAX_IDLE_PACKS = 2;
/** How many files of a pack are read at a time. */
const MAX_CONCURRENT_READS = 16;

/** A small file of this machine, and what it was when the run began. */
export interface PackedFile {
  readonly source: string;
  readonly content: FileContent;
}

/** The files of one pack. `failures`: why some are not in it, by their paths; `pack` is undefined where none is. */
export interface FilePack {
  readonly pack: ContentPack | undefined;
  readonly failures: ReadonlyMap<string, Error>;
}

/** Reads and packs small files once for all nodes of a run that lack the same ones at about the same time. */
export class SharedPacks {
  /** By what they hold, and the one that was used last at the end. */
  private readonly packs = new Map<string, { readonly made: Promise<FilePack>; users: number }>();

  /** Passes the pack of these files to `send`, and settles as that does. */
  async use(files: readonly PackedFile[], send: (pack: FilePack) => Promise<void>): Promise<void> {
    const key = hash("sha256", files.map(({ source, content }) => `${content.sha256} ${source}\0`).join(""), "hex");
    const shared = this.packs.get(key) ?? { made: packFiles(files), users: 0 };
    this.packs.delete(key);
    this.packs.set(key, shared);
    shared.users++;
    try {
      const made = await shared.made;
      // A file that could not be read may be there again when it is asked for next.
      if (made.failures.size > 0) this.packs.delete(key);
      await send(made);
    } finally {
      shared.users--;
      this.dropIdle();
    }
  }

  private dropIdle(): void {
    const idle = [...this.packs].filter(([, { users }]) => users === 0);
    for (const [key] of idle.slice(0, -MAX_IDLE_PACKS)) this.packs.delete(key);
  }
}

async function packFiles(files: readonly PackedFile[]): Promise<FilePack> {
  const reads = new Semaphore(MAX_CONCURRENT_READS);
  const read = await Promise.allSettled(files.map((file) => reads.run(() => readUnchanged(file))));
  const failures = new Map<string, Error>();
  const contents = read.flatMap((one, index) => {
    if (one.status === "fulfilled") return [{ sha256: files[index]!.content.sha256, bytes: one.value }];
    failures.set(files[index]!.source, one.reason as Error);
    return [];
  });
  return { pack: contents.length === 0 ? undefined : await packContents(contents), failures };
}

/** Returns the bytes of a file. Rejects with CHANGED where they are not those that were hashed. */
async function readUnchanged({ source, content }: PackedFile): Promise<Buffer> {
  const bytes = await explainMissing(source, () => readFile(source));
  if (hash("sha256", bytes, "hex") !== content.sha256) throw createInputChangedError(source);
  return bytes;
}
