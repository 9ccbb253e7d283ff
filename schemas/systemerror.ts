import type { Stats } from "node:fs";
import { MusterError } from "./errors.js";

/** Why this machine refused a file or folder, as a predicate ("is a folder, not a file"), and what to do about it. */
export interface SystemRefusal {
  reason: string;
  hint: string;
}

const REFUSALS: Record<string, [reason: string, hint: string]> = {
  EACCES: [
    "cannot be used: permission denied",
    "check the owner and the mode of it and of the folders above it (namei -l)",
  ],
  EPERM: ["cannot be used: the system does not permit it", "check its owner and attributes (lsattr)"],
  EBUSY: ["is in use by the system (busy)", "try again, or name another path"],
  EDQUOT: ["cannot be written: the disk quota is used up", "free some space there (quota -s)"],
  EEXIST: ["exists already", "move it away, or name another path"],
  EFBIG: ["is too large for this file system", "name a path on another file system"],
  EIO: ["cannot be used: the disk fails (input/output error)", "check the kernel's log (dmesg)"],
  EISDIR: ["is a folder, not a file", "name a file"],
  ELOOP: ["cannot be used: its symbolic links lead in a circle", "look at the links with ls -l, and correct them"],
  EMFILE: ["cannot be opened: this process has too many open files", "raise the limit (ulimit -n)"],
  ENFILE: ["cannot be opened: the system has too many open files", "raise fs.file-max, or end other programs"],
  ENAMETOOLONG: ["cannot be used: the name is too long for the file system", "names may have 255 bytes, paths 4,095"],
  ENODEV: ["cannot be used: there is no such device", "name a regular file"],
  ENOENT: ["does not exist", "check the path"],
  ENOSPC: ["cannot be written: no space is left there", "free some space there (df -h)"],
  ENOTDIR: ["cannot exist: a part of its path is a file, not a folder", "check the path"],
  ENOTEMPTY: ["is a folder with files in it", "move it away, or name another path"],
  ENXIO: ["is neither a file nor a folder", "name a regular file"],
  EROFS: ["cannot be written: the file system there is read-only", "name a path elsewhere"],
  ESTALE: ["cannot be used: the network file system has lost it (stale file handle)", "mount it again"],
  ETXTBSY: ["is a program that is running", "end it first, or name another path"],
};

/** Returns what a system error of a file operation says about its file; undefined for any other error. */
export function describeSystemError(error: unknown): SystemRefusal | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return undefined;
  const { code, message } = error as NodeJS.ErrnoException;
  const [reason, hint] = REFUSALS[code ?? ""] ?? [`cannot be used: ${message}`, "check it"];
  return { reason, hint };
}

/** Calls of Node.js that fail for the user's surroundings, and name no file. */
const SURROUNDINGS: Record<string, [what: string, next: string]> = {
  uv_cwd: [
    "the current folder does not exist any more, or cannot be read",
    "Change to another folder (cd), and run the command again.",
  ],
  uv_os_homedir: ["there is no home folder: HOME is not set, and the system does not know this user", "Set HOME."],
  uv_os_get_passwd: [
    "the system does not know this user (no entry in /etc/passwd)",
    "Set `user` in the inventory, or run muster as a known user.",
  ],
};

/**
 * Returns a system error that a file or folder of this machine caused as a MusterError (DISK) that names it, and any other error, which
 * is a bug, unchanged. It is the last resort: what knows the purpose of a file reports its problem itself.
 */
export function explainSystemError(error: unknown): unknown {
  const refusal = describeSystemError(error);
  if (refusal === undefined) return error;
  const { syscall = "", path, dest } = error as NodeJS.ErrnoException & { dest?: string };
  const [what, next] = SURROUNDINGS[syscall] ?? [];
  if (what !== undefined) return new MusterError("DISK", what, { next, cause: error });
  if (syscall.startsWith("spawn ")) {
    const advice = { next: "Install it, or add its folder to PATH.", cause: error };
    return new MusterError("COMMAND", `cannot start ${syscall.slice("spawn ".length)}: it ${refusal.reason}`, advice);
  }
  // The error of a copy or rename names both files.
  const place = dest ?? path;
  if (place === undefined) return error;
  const capital = refusal.hint.charAt(0).toUpperCase() + refusal.hint.slice(1);
  return new MusterError("DISK", `${place} ${refusal.reason}`, { next: `${capital}.`, cause: error });
}

/** Returns what lies at a path that a file was expected at, as a predicate: "is a folder, not a file". */
export function describeNoFile(stat: Stats): string {
  if (stat.isDirectory()) return "is a folder, not a file";
  if (stat.isFIFO()) return "is a pipe, not a file";
  if (stat.isSocket()) return "is a socket, not a file";
  return "is a device, not a file";
}
