import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { cgroupRoot } from "./requirements.js";

/**
 * Returns the path of the cgroup of a lab's node that boots systemd. Its name says which lab it belongs to.
 * Throws where this machine has no cgroups of version 2.
 */
export function cgroupOfNode(labFolder: string, node: string): string {
  const root = cgroupRoot();
  if (root === undefined) throw new Error("there are no cgroups of version 2 here");
  return join(root, `${PREFIX}${encodeURIComponent(labFolder)}@${node}`);
}

const PREFIX = "muster-lab@";

/** Returns the cgroups of labs whose folder is gone: their supervisor was killed before it could remove them. */
export function findOrphanedCgroups(): string[] {
  const root = cgroupRoot();
  if (root === undefined) return [];
  return readdirSync(root)
    .filter((name) => name.startsWith(PREFIX) && !existsSync(folderOf(name)))
    .map((name) => join(root, name));
}

/** Returns the folder of the lab that a cgroup belongs to. */
function folderOf(name: string): string {
  return decodeURIComponent(name.slice(PREFIX.length, name.lastIndexOf("@")));
}

/** Removes the cgroups of labs whose folder is gone, unless processes are in them. */
export function removeOrphanedCgroups(): void {
  for (const path of findOrphanedCgroups()) {
    try {
      removeCgroup(path);
    } catch (error) {
      // Another lab that starts may remove it at the same time.
      if (!["EBUSY", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
}

/** Removes an empty cgroup and those below it. Throws EBUSY where processes are in one. */
export function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  rmdirSync(path);
}
