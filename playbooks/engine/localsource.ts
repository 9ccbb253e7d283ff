import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { createReadStream, type Dirent, readFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import type { WantedEntry, WantedTree } from "./tree.js";

/**
 * Reads size, hash and mode of a regular local file that a node must have. Rejects with a MusterError (SOURCE, exit 65) if it cannot be
 * read. `from`: the inventory key that names it, for messages.
 */
export async function readLocalFile(path: string, from: string): Promise<WantedEntry & { kind: "file" }> {
  try {
    const stats = await stat(path);
    if (!stats.isFile()) throw createSourceError(path, from, "is not a regular file");
    const hash = createHash("sha256");
    for await (const part of createReadStream(path)) hash.update(part as Buffer);
    return { kind: "file", local: path, size: stats.size, sha256: hash.digest("hex"), mode: stats.mode & 0o777 };
  } catch (error) {
    throw error instanceof MusterError ? error : createSourceError(path, from, (error as Error).message);
  }
}

/** Returns the content of a local file that a node must have. Throws a MusterError as `readLocalFile` rejects. */
export function readLocalBytes(path: string, from: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw createSourceError(path, from, (error as Error).message);
  }
}

/**
 * Reads a local folder recursively, following symbolic links to files. `isIncluded` is asked about each relative path; what lies below an
 * excluded folder is not read. Rejects as `readLocalFile` does.
 */
export async function readLocalTree(
  folder: string,
  from: string,
  isIncluded: (path: string) => boolean = () => true,
): Promise<WantedTree> {
  const tree: WantedTree = new Map();
  const visit = async (relative: string) => {
    for (const entry of await listEntries(join(folder, relative), from)) {
      const path = join(relative, entry.name);
      if (!isIncluded(path)) continue;
      if (entry.isDirectory()) {
        tree.set(path, { kind: "folder" });
        await visit(path);
      } else tree.set(path, await readLocalFile(join(folder, path), from));
    }
  };
  await visit("");
  return tree;
}

async function listEntries(folder: string, from: string): Promise<Dirent[]> {
  try {
    const names = await readdir(folder, { encoding: "buffer" });
    const odd = names.find((name) => !isUtf8(name));
    if (odd !== undefined)
      throw createSourceError(folder, from, `has a file name that is not UTF-8: ${odd.toString("latin1")}`);
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw error instanceof MusterError ? error : createSourceError(folder, from, (error as Error).message);
  }
}

function createSourceError(path: string, from: string, why: string): MusterError {
  return new MusterError("SOURCE", `${from}: ${path}: ${why}`, {
    next: "This local file is copied to the nodes; correct the path in the inventory, or create the file.",
  });
}
