import { ConnectionError, type ConnectionErrorCode, type NodeStep } from "./connectionerror.js";

const SYSTEM_ERROR_CODES: Record<string, ConnectionErrorCode> = {
  ENOENT: "MISSING",
  ENOTDIR: "MISSING",
  EACCES: "DENIED",
  EPERM: "DENIED",
  EROFS: "DENIED",
  ENOSPC: "NO_SPACE",
  EDQUOT: "NO_SPACE",
};

/** Converts a failed file operation. `name`: of the system error, such as ENOENT; `message`: what the system says about it. */
export function createFileError(
  where: NodeStep,
  name: string | undefined,
  message: string,
  cause?: unknown,
): ConnectionError {
  const code = SYSTEM_ERROR_CODES[name ?? ""] ?? "FILE";
  if (name !== "EDQUOT") return new ConnectionError(code, where, message, { cause });
  const next = "delete files of that user there, have the quota raised, or set another workdir in the inventory";
  return new ConnectionError(code, where, "the disk quota of the user is used up", { next, cause });
}
