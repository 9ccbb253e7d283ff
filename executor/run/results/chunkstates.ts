import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { formatBytes } from "../../../schemas/bytecount.js";
import { MusterError } from "../../../schemas/errors.js";
import { fsyncFile, fsyncPath, writeAll } from "../../../schemas/filewrites.js";
import { normalizePath } from "../../job/inputs.js";
import type { SavedState, StateFile } from "../agent/protocol.js";
import type { ResultSource } from "../node/attachment.js";
import { readStateManifest, STATE_MANIFEST, type StateManifest } from "../record/keptstates.js";
import { DiskReservation } from "./diskspace.js";

/** The most files of a state; agents keep no more. */
const MAX_FILES = 1000;

/** An attempt whose program has saved a state. */
export interface SavingAttempt {
  readonly id: string;
  readonly chunk: string;
  /** Bytes of its state at most; undefined = as its agent says. */
  readonly limit?: number;
}

/**
 * Keeps the states of chunks, in RUN/state/CHUNK/: what the program of the last attempt has saved. The names of the files there are made from
 * ids and numbers, never from what a node reports.
 */
export class ChunkStates {
  private readonly keeping = new Map<string, Promise<void>>();
  private readonly reservation: DiskReservation;

  /** `folder`: RUN/state. */
  constructor(private readonly folder: string) {
    this.reservation = new DiskReservation(folder);
  }

  /**
   * Pulls a state, verifies it, and replaces the chunk's earlier one. Resolves when it is on disk. Rejects with STATE where it cannot be
   * kept, the ConnectionError of a pull, or a DiskError of this machine; the earlier one stays then.
   */
  async keep(attempt: SavingAttempt, state: SavedState, source: ResultSource): Promise<void> {
    await this.inTurn(attempt.chunk, () => this.replace(attempt, state, source));
  }

  /** Whether a state of this chunk is being pulled. */
  isKeeping(chunk: string): boolean {
    return this.keeping.has(chunk);
  }

  /** Removes the state of a chunk that has its result, once it is not being pulled any more. Does not reject: it is not needed. */
  async remove(chunk: string): Promise<void> {
    await this.inTurn(chunk, async () => removeQuietly(join(this.folder, chunk)));
  }

  /** Removes the states of chunks that have their results; nothing may be in flight. A coordinator that was killed leaves them. */
  removeFinished(hasResult: (chunk: string) => boolean): void {
    for (const chunk of listFolder(this.folder)) if (hasResult(chunk)) removeQuietly(join(this.folder, chunk));
  }

  /** Removes the folder of all states, if none is left; nothing may be in flight. */
  close(): void {
    try {
      rmdirSync(this.folder);
    } catch {
      // There is none, or chunks without a result have a state.
    }
  }

  /** Does the work when what was begun before for the same chunk is done. */
  private async inTurn(chunk: string, work: () => Promise<void>): Promise<void> {
    const earlier = this.keeping.get(chunk) ?? Promise.resolve();
    const done = earlier.catch(() => {}).then(work);
    this.keeping.set(chunk, done);
    try {
      await done;
    } finally {
      if (this.keeping.get(chunk) === done) this.keeping.delete(chunk);
    }
  }

  private async replace({ id, chunk, limit }: SavingAttempt, state: SavedState, source: ResultSource): Promise<void> {
    rejectUnusable(state, limit);
    const folder = `${id}.${state.folder}`;
    const before = readStateManifest(this.folder, chunk);
    if (before?.folder === folder) return;
    const own = join(this.folder, chunk);
    rmSync(join(own, folder), { recursive: true, force: true });
    mkdirSync(join(own, folder), { recursive: true });
    try {
      for (const [index, file] of state.files.entries()) {
        const remote = `${source.root}/a/${id}/saved/${state.folder}/${file.path}`;
        await this.pull(file, remote, join(own, folder, `${index}`), source);
      }
      fsyncPath(join(own, folder));
      await writeManifest(own, { folder, name: state.name, files: state.files });
    } catch (error) {
      rmSync(join(own, folder), { recursive: true, force: true });
      throw error;
    }
    if (before !== undefined) rmSync(join(own, before.folder), { recursive: true, force: true });
  }

  private async pull(file: StateFile, remote: string, local: string, source: ResultSource): Promise<void> {
    const files = await source.files();
    const { size, sha256 } = await this.reservation.withReservation(file.size, () =>
      files.download(remote, local, file.size),
    );
    if (size === file.size && sha256 === file.sha256) return;
    const message = `${file.path} was changed after it was saved`;
    throw new MusterError("STATE", message, { next: "Write each state into a new folder, and then never change it." });
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Removes what is not needed any more: nothing is wrong where it stays. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // A network file system keeps files that are open.
  }
}

/** Throws STATE where a node reports a state that its agent would not report, or says why it cannot be kept. */
function rejectUnusable({ name, error, files }: SavedState, limit = Number.POSITIVE_INFINITY): void {
  if (error !== undefined) throw new MusterError("STATE", error);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (files.length > MAX_FILES || bytes > limit || !isSafeName(name) || !areDistinct(files.map(({ path }) => path)))
    throw new MusterError("STATE", `its ${files.length} files of ${formatBytes(bytes)} cannot be kept`);
}

/** Whether an agent can lay out a folder of this name beside `current`. */
function isSafeName(name: string): boolean {
  return isNormal(name) && !name.includes("/") && name !== "current" && Buffer.byteLength(name) <= 255;
}

function isNormal(path: string): boolean {
  const normal = normalizePath(path);
  return normal.ok && normal.path === path && path !== "." && !path.endsWith("/");
}

/** Whether files with all of these paths can lie in a folder: none twice, and none below another one. */
function areDistinct(paths: readonly string[]): boolean {
  const all = new Set(paths);
  if (all.size !== paths.length || !paths.every(isNormal)) return false;
  return !paths.some((path) => listParents(path).some((parent) => all.has(parent)));
}

function listParents(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** Replaces the manifest in `folder`; the files that it names are on disk. */
async function writeManifest(folder: string, manifest: StateManifest): Promise<void> {
  const partial = join(folder, `${STATE_MANIFEST}.partial`);
  const fd = openSync(partial, "w", 0o600);
  try {
    writeAll(fd, Buffer.from(JSON.stringify(manifest)));
    await fsyncFile(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(partial, join(folder, STATE_MANIFEST));
  fsyncPath(folder);
}
