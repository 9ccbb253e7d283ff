import { MusterError } from "../../../schemas/errors.js";

/** An error of this machine's disk, or of its permissions. The run stops, and keeps everything it has. */
export class DiskError extends MusterError {
  constructor(message: string, next: string, cause?: unknown) {
    super("DISK", message, { next, cause });
  }
}

/** What to do when the disk is full. */
export const FREE_SPACE_ADVICE =
  "Free some space there, then run the same command again: it resumes the run and repeats no chunk that a node has computed.";
const ERRNO_REASONS: Record<string, [reason: string, next: string]> = {
  ENOSPC: ["no space is left there", FREE_SPACE_ADVICE],
  EDQUOT: ["the quota is used up", FREE_SPACE_ADVICE],
  EROFS: ["the file system there is read-only", "Make it writable, or choose another folder with --out."],
  EACCES: ["permission denied", "Choose another folder with --out, or change its owner or mode."],
  EPERM: ["permission denied", "Choose another folder with --out, or change its owner or mode."],
  ENOTDIR: ["a part of its path is a file and not a folder", "Choose another folder with --out."],
  ELOOP: ["its symbolic links lead in a circle", "Correct the links, or choose another folder with --out."],
  ENAMETOOLONG: ["the name is too long for the file system", "Choose another folder with --out."],
  EISDIR: ["a folder lies where a file belongs", "Move the folder away, or start a new run beside it with --fresh."],
  EEXIST: ["it is a file and not a folder", "Move the file away, or choose another folder with --out."],
  ENOENT: ["it is gone", "Nothing but muster should change a run directory. Start a new run beside it with --fresh."],
  EIO: ["the disk fails (input/output error)", "Check the kernel's log. The nodes still have what they have computed."],
  EMFILE: ["too many open files", "Raise the limit (ulimit -n)."],
};

/**
 * Returns a system error that occurred in the run directory `path`, or in its folder of `results`, as a DiskError, with what to do about
 * it. Returns any other error (a MusterError, or a bug) unchanged.
 */
export function explainDiskError(path: string, error: unknown, results = path): unknown {
  const { code, syscall, message, path: source, dest } = error as NodeJS.ErrnoException & { dest?: string };
  // The error of a copy or rename names both files, and the disk refuses the new one.
  const where = dest ?? source;
  if (error instanceof MusterError || code === undefined || syscall === undefined) return error;
  const [reason, next] = ERRNO_REASONS[code] ?? [message, FREE_SPACE_ADVICE];
  if (where === undefined || where.startsWith(path))
    return new DiskError(`cannot write to the run directory ${where ?? path}: ${reason}`, next, error);
  if (!where.startsWith(results)) return error;
  return new DiskError(`cannot write the results ${where}: ${reason}`, next.replace("--out", "--results"), error);
}
