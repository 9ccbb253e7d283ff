import { createHash, hash } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { gzipSync } from "node:zlib";
import { create, Parser, type ReadEntry } from "tar";
import { MusterError } from "../../../schemas/errors.js";
import { fsyncPath } from "../../../schemas/filewrites.js";
import type { Job } from "../../job/job.js";
import type { LaunchFolders, Project } from "../../job/project/project.js";
import { explainDiskError } from "./diskerror.js";

/** Mode of a symbolic link. */
const LINK_MODE = 0o120000;
const ARCHIVE = "project.tar.gz";
const MANIFEST = "project.json";
const PRIVATE_MODE = 0o600;
/** An archive of no files ends with two empty blocks (POSIX.1, ustar). */
const END_OF_ARCHIVE = Buffer.alloc(1024);
/** Most projects are small, and a run should begin at once. */
const COMPRESSION_LEVEL = 1;

/** A line of the manifest; templates/muster_agent/workspace/layout.py reads it, too. */
type ManifestRow =
  | readonly [path: string, mode: number, mtimeSeconds: number, sha256: string, sizeBytes: number]
  | readonly [path: string, mode: typeof LINK_MODE, mtimeSeconds: number, target: string];

/**
 * The files of a project as they were when a run began. They lie in the run directory, as an archive and a manifest with their
 * SHA-256; every session of the run uses them.
 */
export class ProjectSnapshot {
  /** SHA-256 of the manifest. */
  readonly id: string;
  readonly rows: readonly ManifestRow[];
  private readonly paths: ReadonlySet<string>;

  /** `folder`: of the run; `folders`: where programs start. */
  constructor(
    private readonly folder: string,
    readonly manifest: Buffer,
    readonly folders: LaunchFolders,
  ) {
    this.id = hash("sha256", manifest, "hex");
    this.rows = (JSON.parse(manifest.toString()) as { files: ManifestRow[] }).files;
    this.paths = new Set(this.rows.map(([path]) => path));
  }

  /** Whether it has the file at `path`, relative to the job file. */
  has(path: string): boolean {
    return this.paths.has(posix.join(this.folders.job, path));
  }

  /** Returns the content of the file in a row of the manifest; undefined for a link. */
  contentOf(index: number): { sha256: string; sizeBytes: number } | undefined {
    const [, mode, , sha256, sizeBytes] = this.rows[index]!;
    return mode === LINK_MODE ? undefined : { sha256, sizeBytes: sizeBytes! };
  }

  /**
   * Passes the content of each of these files, named by SHA-256, to `use`, one at a time. Rejects with RESULTS_DAMAGED where the
   * archive does not have them.
   */
  async readContents(
    wanted: ReadonlySet<string>,
    use: (sha256: string, bytes: Buffer) => Promise<void>,
  ): Promise<void> {
    const left = new Set(wanted);
    let index = -1;
    let last = Promise.resolve();
    const read = (entry: ReadEntry) => {
      const sha256 = this.contentOf(++index)?.sha256;
      if (sha256 === undefined || !left.delete(sha256)) return entry.resume();
      // The archive is not read further until the entry is consumed.
      last = last.then(
        async () => use(sha256, this.checkContent(entry.path, sha256, await entry.concat())),
        (error) => {
          entry.resume();
          throw error;
        },
      );
      last.catch(() => {});
    };
    try {
      await readEntries(join(this.folder, ARCHIVE), read);
    } catch (error) {
      throw createDamageError(join(this.folder, ARCHIVE), (error as Error).message);
    }
    await last;
    if (left.size > 0) throw createDamageError(join(this.folder, ARCHIVE), "files are missing in it");
  }

  private checkContent(path: string, sha256: string, bytes: Buffer): Buffer {
    if (hash("sha256", bytes, "hex") === sha256) return bytes;
    throw createDamageError(join(this.folder, ARCHIVE), `${path} has changed in it`);
  }
}

/**
 * Writes the snapshot of a project into a run directory. The manifest is made from what the archive holds, so a file that is
 * changed at that moment cannot make them differ. Rejects with CHANGED where a file cannot be read.
 */
export async function createSnapshot(
  project: Project,
  folders: LaunchFolders,
  folder: string,
): Promise<ProjectSnapshot> {
  const archive = join(folder, ARCHIVE);
  await writeArchive(project, archive);
  const targets = new Map(project.files.map(({ path, target }) => [path, target]));
  const rows = project.files.length === 0 ? [] : await readRows(archive, targets);
  const manifest = Buffer.from(JSON.stringify({ files: rows }));
  const path = join(folder, MANIFEST);
  writeFileSync(`${path}.part`, manifest, { mode: PRIVATE_MODE });
  for (const file of [archive, `${path}.part`]) fsyncPath(file);
  renameSync(`${path}.part`, path);
  return new ProjectSnapshot(folder, manifest, folders);
}

/** Writes the files of a project into an archive. Nobody else may read it: files of the project may be private. */
async function writeArchive(project: Project, archive: string): Promise<void> {
  const options = { cwd: project.root, portable: true, strict: true, gzip: { level: COMPRESSION_LEVEL } } as const;
  const names = project.files.map(({ path }) => `./${path}`);
  if (names.length === 0) return writeFileSync(archive, gzipSync(END_OF_ARCHIVE), { mode: PRIVATE_MODE });
  try {
    await pipeline(create(options, names), createWriteStream(archive, { mode: PRIVATE_MODE }));
  } catch (error) {
    if (explainDiskError(dirname(archive), error) !== error) throw error;
    throw new MusterError("CHANGED", `${project.root} changed while it was read: ${(error as Error).message}`, {
      next: "Run the command again.",
    });
  }
}

/**
 * Opens the snapshot of a run directory. Rejects with RESULTS_DAMAGED where it is not the one with this id, or where its archive does
 * not have the files of its manifest.
 */
export async function openSnapshot(folder: string, id: string, folders: LaunchFolders): Promise<ProjectSnapshot> {
  const [path, archive] = [join(folder, MANIFEST), join(folder, ARCHIVE)];
  const manifest = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  if (hash("sha256", manifest, "hex") !== id)
    throw createDamageError(path, "it is not the one that the run began with");
  const snapshot = new ProjectSnapshot(folder, manifest, folders);
  if (snapshot.rows.length === 0) return snapshot;
  const found = await readArchivedContents(archive);
  const lost = snapshot.rows.find((_, index) => snapshot.contentOf(index)?.sha256 !== found[index]);
  if (lost !== undefined) throw createDamageError(archive, `it does not have the ${lost[0]} that the run began with`);
  return snapshot;
}

/** Returns the SHA-256 of each entry of an archive; undefined for a link. Rejects with RESULTS_DAMAGED where it cannot be read. */
async function readArchivedContents(archive: string): Promise<(string | undefined)[]> {
  try {
    return (await readRows(archive, new Map())).map((row) => (row[1] === LINK_MODE ? undefined : (row[3] as string)));
  } catch (error) {
    throw createDamageError(archive, (error as Error).message);
  }
}

/** Returns the files of the snapshot in a run directory with their SHA-256, or the targets of links; undefined where there is none. */
export function readSnapshotContents(folder: string): [path: string, content: string][] | undefined {
  const path = join(folder, MANIFEST);
  if (!existsSync(path)) return undefined;
  const { files } = JSON.parse(readFileSync(path, "utf8")) as { files: ManifestRow[] };
  return files.map(([name, , , content]) => [name, content]);
}

/** Returns the paths of the files that differ between a project and a snapshot, sorted; the job file is compared elsewhere. */
export function findChangedFiles(job: Job, snapshot: ProjectSnapshot): string[] {
  const { root, files } = job.project ?? { root: job.folder, files: [] };
  const before = new Map(snapshot.rows.map((row) => [row[0], row]));
  const changed = files.filter(({ path }) => {
    const row = before.get(path);
    before.delete(path);
    return row === undefined || !isUnchanged(join(root, path), row);
  });
  const own = job.content === undefined ? relative(root, job.file) : undefined;
  return [...changed.map(({ path }) => path), ...before.keys()].filter((path) => path !== own).sort();
}

/** Whether a file is as in its row. */
function isUnchanged(path: string, [, mode, , content, sizeBytes]: ManifestRow): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.isSymbolicLink() !== (mode === LINK_MODE)) return false;
  if (mode === LINK_MODE) return readlinkSync(path) === content;
  if (stat.size !== sizeBytes || ((stat.mode & 0o111) !== 0) !== ((mode & 0o111) !== 0)) return false;
  return hash("sha256", readFileSync(path), "hex") === content;
}

/** `targets`: of the links in the archive, by path, where they are known. */
async function readRows(archive: string, targets: ReadonlyMap<string, string | undefined>): Promise<ManifestRow[]> {
  const rows: ManifestRow[] = [];
  const contents = new Map<string, readonly [sha256: string, sizeBytes: number]>();
  const read = (entry: ReadEntry) => {
    const path = entry.path.replace(/^\.\//, "");
    const mtimeSeconds = Math.floor((entry.mtime?.getTime() ?? 0) / 1000);
    const mode = (entry.mode ?? 0) & 0o111 ? 0o755 : 0o644;
    if (entry.type === "SymbolicLink") rows.push([path, LINK_MODE, mtimeSeconds, targets.get(path) ?? entry.linkpath!]);
    // Files with one inode: the archive has their content once.
    const linked = entry.type === "Link" ? contents.get(entry.linkpath!.replace(/^\.\//, "")) : undefined;
    if (linked !== undefined) rows.push([path, mode, mtimeSeconds, ...linked]);
    if (entry.type !== "File" && entry.type !== "OldFile") return entry.resume();
    const digest = createHash("sha256");
    entry.on("data", (bytes) => digest.update(bytes));
    entry.on("end", () => {
      const content = [digest.digest("hex"), entry.size] as const;
      contents.set(path, content);
      rows.push([path, mode, mtimeSeconds, ...content]);
    });
  };
  await readEntries(archive, read);
  return rows;
}

/** Passes every entry of an archive to `read`, which must consume it: the next one comes after that. */
function readEntries(archive: string, read: (entry: ReadEntry) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const parser = new Parser({ strict: true, onReadEntry: read });
    parser.on("end", resolve);
    parser.on("error", reject);
    createReadStream(archive)
      .on("error", reject)
      .pipe(parser as unknown as NodeJS.WritableStream);
  });
}

function createDamageError(path: string, why: string): MusterError {
  return new MusterError("RESULTS_DAMAGED", `${path}: ${why}`, {
    next: "Restore what was there, or start a new run beside this one with --fresh.",
  });
}
