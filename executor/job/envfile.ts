import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseEnvText } from "../../schemas/envtext.js";
import { InvalidFileError } from "../../schemas/errors.js";
import { readTextFile } from "../../schemas/textfile.js";
import type { JobReader } from "./reader.js";

/** The environment from the file that `env_file` names. `path`: absolute. `note`: a warning for the user. */
export interface EnvFile {
  path: string;
  env: Record<string, string>;
  note?: string;
}

const MAX_ENV_FILE_CHARS = 1 << 20;

/**
 * Reads the file that a job names as `env_file`: lines `KEY=VALUE`, empty lines, and comments that begin with #. Returns
 * undefined if there is none or it cannot be read. Problems are reported with file and line. They quote only names of
 * variables, because the values are secrets.
 */
export function readEnvFile(reader: JobReader): EnvFile | undefined {
  const written = reader.text(["env_file"]);
  if (written === undefined || written === "") return undefined;
  const path = resolveLocalPath(reader.folder, written);
  const text = readEnvText(reader, path, written);
  if (text === undefined) return undefined;
  const { env, faults } = parseEnvText(text);
  for (const { line, fault, hint } of faults) reader.report({ file: path, line }, fault, hint);
  return { path, env, note: permissionNote(path, written) };
}

/** Resolves a local path: `~` is the home folder, and relative paths start in `folder`. */
function resolveLocalPath(folder: string, path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : resolve(folder, path);
}

function readEnvText(reader: JobReader, path: string, written: string): string | undefined {
  const refuse = (message: string, hint?: string): undefined => {
    reader.reportAt(["env_file"], `env_file: "${written}" ${message}`, hint);
    return undefined;
  };
  try {
    const text = readTextFile(path);
    return text.length > MAX_ENV_FILE_CHARS ? refuse("is larger than 1 MiB") : text;
  } catch (error) {
    if (!(error instanceof InvalidFileError)) throw error;
    const [problem] = error.problems;
    return refuse(
      problem!.message === "there is no such file" ? `does not exist (${path})` : problem!.message,
      problem!.hint,
    );
  }
}

function permissionNote(path: string, written: string): string | undefined {
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o007) === 0) return undefined;
  return `env_file ${written} is accessible to every user of this machine (mode ${mode.toString(8).padStart(4, "0")}): run chmod 600 ${path}`;
}
