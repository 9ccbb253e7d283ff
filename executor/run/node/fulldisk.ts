import { formatBytes } from "../../../schemas/bytecount.js";
import { MusterError } from "../../../schemas/errors.js";
import type { FullDisk } from "../agent/protocol.js";

/** What to do about a full disk of a node. */
export const NODE_SPACE_ADVICE = "Free some space there, or set another workdir for the node in the inventory.";

/** Returns what the agent found out about a disk without room, with the figures and the place. */
export function describeFullDisk({ path, free, total, inodes, quota }: FullDisk): string {
  const room = `${formatBytes(free)} of ${formatBytes(total)} are free in ${path}`;
  if (quota === true) return `the disk quota is used up: ${room}`;
  if (inodes !== undefined) return `the disk can hold no further file (no inodes left): ${room}`;
  return `the disk is full: ${room}`;
}

/** Whether an error of a node says that something had no room there. */
function isNoSpaceText(reason: string): boolean {
  return /No space left on device|Disk quota exceeded/i.test(reason);
}

/** Returns the error for something that a node could not store: NO_SPACE only where it says that there is no room, else FILE. */
export function createStorageError(reason: string): MusterError {
  if (isNoSpaceText(reason)) return new MusterError("NO_SPACE", reason, { next: NODE_SPACE_ADVICE });
  return new MusterError("FILE", reason, {
    next: "Check that path on the node, or set another workdir in the inventory.",
  });
}
