import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Connection } from "../../../fleet/connection.js";
import { MusterError } from "../../../schemas/errors.js";
import { checkSyntaxSource } from "../../../templates/nodeprograms.js";
import type { Job } from "../../job/job.js";
import { scanImports, scanModuleImports } from "../../job/project/importscan.js";
import { findPythonProgram, type PythonProgram } from "../../job/project/pythonprogram.js";
import { addPythonEnv, type NodePythonEnv } from "./nodepythonenv.js";

/** The check must not delay a run by more than this. */
const TIMEOUT_SECONDS = 5;
/** Larger programs are not checked. */
const MAX_SOURCE_BYTES = 4 << 20;
const MAX_PROGRAMS = 20;
/** Of a job with many tasks, the first ones tell its programs. */
const MAX_LAUNCHES = 1000;
const MAX_TEXT_CHARS = 200;

/** A syntax error, as Python reports it. */
type Fault = readonly [path: string, line: number, column: number, message: string, sourceLine: string];

/** What templates/check_syntax.py prints. */
interface Report {
  readonly version: string;
  readonly faults: readonly Fault[];
}

/** What templates/check_syntax.py reads. Paths are relative to the top of the working copy. */
interface Request {
  entries: string[];
  modules: string[];
  cwd: string;
  roots: readonly string[];
  files: Record<string, string>;
}

/**
 * Checks the Python files that a job is certain to load for syntax errors, once, with the interpreter of the first node that asks. A
 * program in which one is found would fail everywhere.
 */
export class SyntaxCheck {
  private checked: Promise<void> | undefined;

  constructor(private readonly job: Job) {}

  /** Resolves when nothing speaks against a start: also where a file cannot be checked. Rejects with SYNTAX. */
  check(connection: Connection, pythonEnv: NodePythonEnv | undefined): Promise<void> {
    this.checked ??= this.checkOn(connection, pythonEnv);
    return this.checked;
  }

  private async checkOn(connection: Connection, pythonEnv: NodePythonEnv | undefined): Promise<void> {
    const programs = this.findPrograms();
    const interpreters = new Map(programs.map(({ interpreter }) => [interpreter.join("\0"), interpreter]));
    for (const [key, interpreter] of interpreters) {
      const own = programs.filter((one) => one.interpreter.join("\0") === key);
      await this.checkWith(connection, pythonEnv, interpreter, own);
    }
  }

  private findPrograms(): PythonProgram[] {
    const programs = new Map<string, PythonProgram>();
    let left = MAX_LAUNCHES;
    for (const launch of this.job.launches) {
      const program = findPythonProgram(launch, this.job.folders);
      if (program !== undefined) programs.set(JSON.stringify(program), program);
      if (--left === 0) break;
    }
    return [...programs.values()].slice(0, MAX_PROGRAMS);
  }

  private async checkWith(
    connection: Connection,
    pythonEnv: NodePythonEnv | undefined,
    interpreter: readonly string[],
    programs: readonly PythonProgram[],
  ): Promise<void> {
    const request = this.createRequest(programs);
    if (request === undefined) return;
    const { node } = connection;
    const words = interpreter.map((word) => (word === "{python}" ? (pythonEnv?.python ?? node.python) : word));
    const { PATH } = addPythonEnv({}, node, pythonEnv);
    const prefix = PATH === undefined ? [] : ["env", `PATH=${PATH}`];
    const argv = [...prefix, ...words, "-W", "ignore", "-c", checkSyntaxSource()];
    const stdin = JSON.stringify(request);
    const result = await connection.exec(argv, { stdin, timeout: TIMEOUT_SECONDS }).catch(() => undefined);
    const report = result?.kind === "exit" && result.code === 0 ? parseReport(result.stdout) : undefined;
    if (report === undefined || report.faults.length === 0) return;
    throw new MusterError("SYNTAX", this.describe(report));
  }

  /** Returns the files that the programs need, as far as imports tell; undefined where they cannot be read, or are too large. */
  private createRequest(programs: readonly PythonProgram[]): Request | undefined {
    const { project, folders } = this.job;
    const paths = new Set(project?.files.map(({ path }) => path));
    const root = project?.root ?? this.job.folder;
    const read = (path: string) => readFileSync(join(root, path), "utf8");
    const request: Request = { entries: [], modules: [], cwd: folders.cwd, roots: folders.pythonPath, files: {} };
    const needed = new Set<string>();
    try {
      for (const { entry } of programs) {
        if (entry.kind === "module") request.modules.push(entry.module);
        else request.entries.push(entry.path);
        const scan =
          entry.kind === "file"
            ? scanImports(entry, new Set([...paths, entry.path]), read)
            : scanModuleImports({ module: entry.module, cwd: folders.cwd }, paths, read);
        for (const file of scan.files) if (file.endsWith(".py") || request.entries.includes(file)) needed.add(file);
      }
      let bytes = 0;
      for (const path of needed) {
        const source = readFileSync(join(root, path));
        bytes += source.length;
        request.files[path] = source.toString("base64");
      }
      return bytes > MAX_SOURCE_BYTES || needed.size === 0 ? undefined : request;
    } catch {
      return undefined; // what cannot be read here is reported where it is staged
    }
  }

  private describe({ version, faults }: Report): string {
    const [path, line, column, message, sourceLine] = faults[0]!;
    const file = posix.join(this.job.project?.root ?? this.job.folder, path);
    const source = sourceLine === "" ? "" : `: ${shorten(sourceLine)}`;
    const more =
      faults.length === 1
        ? ""
        : `; ${faults
            .slice(1)
            .map((one) => `${one[0]}:${one[1]}`)
            .join(", ")}, too`;
    return `${file}:${line}:${column}: ${shorten(message)} (Python ${shorten(version)})${source}${more}`;
  }
}

/** Reads what the node printed; undefined where it is no report. */
function parseReport(output: string): Report | undefined {
  try {
    const { version, faults } = JSON.parse(output.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
    if (typeof version !== "string" || !Array.isArray(faults) || !faults.every(isFault)) return undefined;
    return { version, faults };
  } catch {
    return undefined;
  }
}

function isFault(value: unknown): value is Fault {
  if (!Array.isArray(value) || value.length !== 5) return false;
  const [path, line, column, message, sourceLine] = value as unknown[];
  return [path, message, sourceLine].every((one) => typeof one === "string") && [line, column].every(Number.isInteger);
}

function shorten(text: string): string {
  return text.slice(0, MAX_TEXT_CHARS);
}
