import { describeSystemError } from "../../../schemas/systemerror.js";

/** Why a project cannot be copied to nodes, and what to do about it. Thrown within this folder only: `listProject` returns it. */
export class ProjectRefusal extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

const EXCLUDE_ADVICE = "exclude it: add it to .gitignore, or select files with `code`";

/** Throws the refusal of a file or folder that cannot be read, or `error` itself if it has another cause. */
export function refuseUnreadable(path: string, error: unknown): never {
  const { code } = error as NodeJS.ErrnoException;
  const refusal = describeSystemError(error);
  if (code !== "EACCES" && code !== "EPERM") {
    if (refusal === undefined) throw error;
    throw new ProjectRefusal(`${path} ${refusal.reason}`, `${refusal.hint}; ${EXCLUDE_ADVICE}`);
  }
  throw new ProjectRefusal(
    `${path}: permission denied`,
    `make it readable (\`chmod u+rX\`, or as its owner), or ${EXCLUDE_ADVICE}`,
  );
}
