import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
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
  const env: Record<string, string> = {};
  for (const [index, line] of text.split("\n").entries()) {
    const parsed = parseLine(line);
    if (parsed === undefined) continue;
    const fault =
      "fault" in parsed ? parsed : Object.hasOwn(env, parsed.name) ? duplicateFault(parsed.name) : undefined;
    if (fault !== undefined) reader.report({ file: path, line: index + 1 }, fault.fault, fault.hint);
    else if ("name" in parsed) env[parsed.name] = parsed.value;
  }
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

type EnvLine = { name: string; value: string } | { fault: string; hint: string } | undefined;

/** Parses a line; undefined for an empty line or a comment. */
function parseLine(line: string): EnvLine {
  const text = line.trim();
  if (text === "" || text.startsWith("#")) return undefined;
  const at = text.indexOf("=");
  const name = text.slice(0, Math.max(0, at)).trimEnd();
  if (at < 0) return { fault: "is not KEY=VALUE", hint: "a comment begins with #" };
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return {
      fault: "the name before = must contain only letters, digits and _, and not begin with a digit",
      hint: "as in KEY=VALUE",
    };
  const value = text.slice(at + 1).trimStart();
  if (value.includes("\0"))
    return { fault: `${name} contains a NUL character, which a variable cannot hold`, hint: "remove it" };
  const quote = value[0];
  if (quote !== '"' && quote !== "'") return { name, value };
  if (value.length > 1 && value.endsWith(quote)) return { name, value: value.slice(1, -1) };
  return { fault: `${name} has an opening quote that is not closed`, hint: `end the line with ${quote}` };
}

function duplicateFault(name: string): { fault: string; hint: string } {
  return { fault: `${name} appears twice`, hint: "keep one of them" };
}

function permissionNote(path: string, written: string): string | undefined {
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o007) === 0) return undefined;
  return `env_file ${written} is accessible to every user of this machine (mode ${mode.toString(8).padStart(4, "0")}): run chmod 600 ${path}`;
}
