import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Connection } from "../../../fleet/connection.js";
import { MusterError } from "../../../schemas/errors.js";
import { checkSyntaxSource } from "../../../templates/nodeprograms.js";
import type { Job, ProgramLaunch } from "../../job/job.js";
import { scanImports, scanModuleImports } from "../../job/project/importscan.js";
import { findPythonProgram, type PythonProgram } from "../../job/project/pythonprogram.js";
import { addPythonEnv, type NodePythonEnv } from "./nodepythonenv.js";

/** The check must not delay a node by more than this. */
const TIMEOUT_SECONDS = 5;
/** Larger programs are not checked. */
const MAX_SOURCE_BYTES = 4 << 20;
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
 * Checks the Python files that a job is certain to load for syntax errors, with each node's own interpreter. A node on which one is found
 * cannot run the program. Jobs of several programs are not checked, nor those that are built: a build may write sources.
 */
export class SyntaxCheck {
  private readonly launch: ProgramLaunch | undefined;
  private request: Request | undefined;
  private hasRequest = false;

  constructor(private readonly job: Job) {
    this.launch = job.build === undefined ? findOnlyLaunch(job) : undefined;
  }

  /** Resolves when nothing speaks against a start: also where a file cannot be checked. Rejects with SYNTAX. */
  async check(connection: Connection, pythonEnv: NodePythonEnv | undefined): Promise<void> {
    const program = this.launch && findPythonProgram(this.launch, this.job.folders);
    const request = program && this.prepareRequest(program);
    if (program === undefined || request === undefined) return;
    const { node } = connection;
    const words = program.interpreter.map((word) => (word === "{python}" ? (pythonEnv?.python ?? node.python) : word));
    const path = addPythonEnv(this.launch?.env ?? {}, node, pythonEnv).PATH ?? node.env.PATH;
    const prefix = path === undefined ? [] : ["env", `PATH=${path}`];
    const argv = [...prefix, ...words, "-I", "-W", "ignore", "-c", checkSyntaxSource()];
    const options = { stdin: JSON.stringify(request), timeout: TIMEOUT_SECONDS };
    const result = await connection.exec(argv, options).catch(() => undefined);
    const report = result?.kind === "exit" && result.code === 0 ? parseReport(result.stdout) : undefined;
    if (report === undefined || report.faults.length === 0) return;
    throw new MusterError("SYNTAX", this.describe(report));
  }

  /** Returns the files that a program needs, as far as imports tell; undefined where they cannot be read, or are too large. */
  private prepareRequest(program: PythonProgram): Request | undefined {
    if (!this.hasRequest) this.request = createRequest(this.job, program);
    this.hasRequest = true;
    return this.request;
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

/** Returns what all chunks start; undefined where they start different programs. */
function findOnlyLaunch(job: Job): ProgramLaunch | undefined {
  let only: { launch: ProgramLaunch; key: string } | undefined;
  let left = MAX_LAUNCHES;
  for (const launch of job.launches) {
    const key = JSON.stringify([findPythonProgram(launch, job.folders), launch.env?.PATH]);
    if (only !== undefined && only.key !== key) return undefined;
    only ??= { launch, key };
    if (--left === 0) break;
  }
  return only?.launch;
}

function createRequest({ project, folders, folder }: Job, { entry }: PythonProgram): Request | undefined {
  const paths = new Set(project?.files.map(({ path }) => path));
  const root = project?.root ?? folder;
  const read = (path: string) => readFileSync(join(root, path), "utf8");
  try {
    const scan =
      entry.kind === "file"
        ? scanImports(entry, new Set([...paths, entry.path]), read)
        : scanModuleImports({ module: entry.module, cwd: folders.cwd }, paths, read);
    const needed = scan.files.filter((file) => file.endsWith(".py") || (entry.kind === "file" && file === entry.path));
    const sources = needed.map((path) => [path, readFileSync(join(root, path))] as const);
    const bytes = sources.reduce((sum, [, source]) => sum + source.length, 0);
    if (bytes > MAX_SOURCE_BYTES || sources.length === 0) return undefined;
    return {
      entries: entry.kind === "file" ? [entry.path] : [],
      modules: entry.kind === "module" ? [entry.module] : [],
      cwd: folders.cwd,
      roots: folders.pythonPath,
      files: Object.fromEntries(sources.map(([path, source]) => [path, source.toString("base64")])),
    };
  } catch {
    return undefined; // what cannot be read here is reported where it is staged
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
