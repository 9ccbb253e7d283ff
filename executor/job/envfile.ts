import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { InvalidFileError } from "../../schemas/errors.js";
import { readTextFile } from "../../schemas/textfile.js";
import type { JobReader } from "./reader.js";

/** The environment that the file of `env_file` holds. `path`: absolute. `note`: what its owner should know of it. */
export interface EnvFile {
  path: string;
  env: Record<string, string>;
  note?: string;
}

const MAX_ENV_FILE_CHARS = 1 << 20;

/**
 * Reads the file that a job names as `env_file`: a line `KEY=VALUE` for each variable, empty lines, and comments that begin with #.
 * Undefined where there is none, or it cannot be read. Problems are noted with file and line; no text of the file is in them, but
 * names of variables, for it holds secrets.
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

/** A path of this machine: `~` is the home folder, what is relative begins in `folder`. */
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

/** What a line says; undefined for one that says nothing. */
function parseLine(line: string): EnvLine {
  const text = line.trim();
  if (text === "" || text.startsWith("#")) return undefined;
  const at = text.indexOf("=");
  const name = text.slice(0, Math.max(0, at)).trimEnd();
  if (at < 0) return { fault: "is not KEY=VALUE", hint: "a comment begins with #" };
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return {
      fault: "the name before = must be letters, digits and _, not beginning with a digit",
      hint: "as in KEY=VALUE",
    };
  const value = text.slice(at + 1).trimStart();
  if (value.includes("\0")) return { fault: `${name} holds a NUL character, which no variable can`, hint: "remove it" };
  const quote = value[0];
  if (quote !== '"' && quote !== "'") return { name, value };
  if (value.length > 1 && value.endsWith(quote)) return { name, value: value.slice(1, -1) };
  return { fault: `${name} begins with a quote that does not end`, hint: `end the line with ${quote}` };
}

function duplicateFault(name: string): { fault: string; hint: string } {
  return { fault: `${name} is there twice`, hint: "keep one of them" };
}

function permissionNote(path: string, written: string): string | undefined {
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o007) === 0) return undefined;
  return `env_file ${written} is open to every user of this machine (mode ${mode.toString(8).padStart(4, "0")}): chmod 600 ${path}`;
}
