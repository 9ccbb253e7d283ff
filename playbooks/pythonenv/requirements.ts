import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { PythonEnv } from "../../fleet/pythonenvs.js";
import { InvalidFileError, type Problem } from "../../schemas/errors.js";

/** pip's requirements with the files that they include, as a node needs them. */
export interface Requirements {
  /** The content of one requirements file. */
  text: string;
  /** The content of one constraints file; empty: there are none. */
  constraints: string;
  /** The requirements alone, as packages are compared with them: no options, no hashes. */
  wanted: string[];
}

interface LogicalLine {
  text: string;
  file: string;
  line: number;
}

const MAX_INCLUDE_DEPTH = 20;
/** Options that make pip look elsewhere than in the folder of `find_links`. */
const INDEX_OPTION = /^(-i|--index-url|--extra-index-url|--trusted-host)\b/;

/**
 * Reads a requirements file and those that it includes with `-r` and `-c`. `isOffline`: only wheels of a folder are installed, so index
 * options are left out, and URLs are refused. Throws InvalidFileError for files that cannot be read and for what a node cannot install.
 */
export function readRequirements(file: string, isOffline: boolean): Requirements {
  const reader = new RequirementsReader(isOffline);
  reader.read({ text: "", file, line: 1 }, file, "requirements", 0);
  if (reader.problems.length > 0) throw new InvalidFileError(reader.problems);
  const { requirements, constraints, wanted } = reader;
  return { text: joinLines(requirements), constraints: joinLines(constraints), wanted };
}

/** Reads the requirements of an environment; none where it has no requirements file. Throws as `readRequirements` does. */
export function readEnvRequirements({ requirements, findLinks }: PythonEnv): Requirements {
  if (requirements === undefined) return { text: "", constraints: "", wanted: [] };
  return readRequirements(requirements, findLinks !== undefined);
}

class RequirementsReader {
  readonly problems: Problem[] = [];
  readonly requirements: string[] = [];
  readonly constraints: string[] = [];
  readonly wanted: string[] = [];

  constructor(private readonly isOffline: boolean) {}

  /** `from`: the line that includes the file. */
  read(from: LogicalLine, path: string, kind: "requirements" | "constraints", depth: number): void {
    if (depth > MAX_INCLUDE_DEPTH) return this.report(from, "includes itself, or files nest too deep");
    let content: string;
    try {
      content = readFileSync(path, "utf8");
    } catch (error) {
      return this.report(from, `${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
    }
    for (const line of splitLogicalLines(content, path)) this.readLine(line, kind, depth);
  }

  private readLine(line: LogicalLine, kind: "requirements" | "constraints", depth: number): void {
    const { text } = line;
    const include = /^(-r|--requirement|-c|--constraint)(?:\s*=\s*|\s+|(?=[^-\s]))(.+)$/.exec(text);
    if (include !== null) {
      const path = include[2]!.trim().replace(/^(["'])(.*)\1$/, "$2");
      if (/^[a-z+]+:\/\//i.test(path))
        return this.report(line, "a file behind a URL cannot be included", "download it and name the local file");
      const isConstraint = kind === "constraints" || include[1]!.startsWith("-c") || include[1] === "--constraint";
      return this.read(
        line,
        resolve(dirname(line.file), path),
        isConstraint ? "constraints" : "requirements",
        depth + 1,
      );
    }
    const fault = findFault(text, this.isOffline);
    if (fault !== undefined) return this.report(line, `"${text}" ${fault.message}`, fault.hint);
    if (this.isOffline && INDEX_OPTION.test(text)) return;
    this[kind].push(text);
    if (kind === "requirements" && !text.startsWith("-")) this.wanted.push(stripOptions(text));
  }

  private report({ file, line }: LogicalLine, message: string, hint?: string): void {
    this.problems.push({ file, line, column: 1, message, hint });
  }
}

/** Splits text as pip does: a backslash at its end continues a line, and `#` after white space begins a comment. */
function splitLogicalLines(content: string, file: string): LogicalLine[] {
  const lines: LogicalLine[] = [];
  let open: LogicalLine | undefined;
  for (const [index, raw] of content
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\r|\n/)
    .entries()) {
    const isComment = /^\s*#/.test(raw);
    const current: LogicalLine = open ?? { text: "", file, line: index + 1 };
    const isContinued = raw.endsWith("\\") && !isComment;
    current.text += isComment ? "" : isContinued ? raw.slice(0, -1) : raw;
    open = isContinued ? current : undefined;
    if (open === undefined) lines.push(current);
  }
  if (open !== undefined) lines.push(open);
  return lines
    .map((line) => ({ ...line, text: line.text.replace(/(^|\s+)#.*$/, "").trim() }))
    .filter(({ text }) => text !== "");
}

/** Explains why a line cannot be used on a node; undefined if it can. */
function findFault(text: string, isOffline: boolean): { message: string; hint: string } | undefined {
  if (/^(-e|--editable)\b/.test(text))
    return { message: "is on this machine only", hint: "set `editable: true` of the environment in the inventory" };
  if (/^(-f|--find-links)\b/.test(text) && !/:\/\//.test(text))
    return { message: "is on this machine only", hint: "set `find_links` of the environment in the inventory" };
  if (text.startsWith("-")) return undefined;
  const url =
    /(?:^|@\s*)([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1] ?? (/(?:^|@\s*)file:/i.test(text) ? "file" : undefined);
  if (
    url === "file" ||
    (url === undefined && /^(\.{0,2}\/|~|\.$|\.\.$)|\.(whl|zip|tar\.gz|tar\.bz2|tgz)\s*(--|;|$)/.test(text))
  )
    return {
      message: "is a path on this machine",
      hint: "put that file into the folder of `find_links` and name the package",
    };
  if (url !== undefined && isOffline)
    return {
      message: "is a URL, but `find_links` keeps pip off the network",
      hint: "put a wheel of it into that folder",
    };
  return undefined;
}

/** Removes options such as `--hash=sha256:...`, which follow a requirement. */
function stripOptions(text: string): string {
  return text.replace(/\s+--[a-z].*$/s, "");
}

function joinLines(lines: string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
