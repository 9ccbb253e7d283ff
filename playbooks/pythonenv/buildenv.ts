import { posix } from "node:path";
import { ConnectionError } from "../../fleet/connectionerror.js";
import { quote } from "../../fleet/quote.js";
import type { ErrorCode } from "../../schemas/errorcodes.js";
import { MusterError } from "../../schemas/errors.js";
import { envSource } from "../../templates/nodeprograms.js";
import type { ChangeContext, TreeState } from "../engine/resource.js";
import { findStalePaths, repairTree, type WantedTree } from "../engine/tree.js";
import type { EnvSources } from "./envrequest.js";
import { parseAnswer } from "./envstate.js";

const FOLDER_MODE = 0o755;

/**
 * Makes an environment on a node, and switches its link to it. Rejects with a MusterError: REFUSED if something else is at its path, HELD
 * if another build is running, NO_PYTHON, INSTALL with the last lines of pip, NO_SPACE, TIMEOUT, FILE, and the errors of copying files.
 */
export async function buildEnv({ request, wheels, project }: EnvSources, context: ChangeContext): Promise<void> {
  const beside = (suffix: string) => posix.join(posix.dirname(request.at), `.${posix.basename(request.at)}-${suffix}`);
  if (wheels !== undefined) await syncFolder(beside("wheels"), await wheels(), context);
  if (project !== undefined) await syncFolder(beside("project"), project, context);
  const { name, python } = context.node;
  const building = context.$({ nothrow: true })`exec ${[python, "-c", envSource(), "build"]}`;
  // The program ends with its stdin, so that a build does not outlive the coordinator.
  building.stdin.write(`${JSON.stringify(request)}\n`);
  const { stdout, stderr, exitCode } = await building;
  const answer = parseAnswer(stdout);
  if (answer === undefined) {
    const reason = stderr.trim().split("\n").at(-1) || `exit ${exitCode}`;
    throw new ConnectionError("LOST", { node: name, step: `make the environment ${request.at}` }, reason);
  }
  if (typeof answer.error === "string") throw createBuildError(answer, request.python);
}

/** Makes a folder of the node equal to the wanted one. */
async function syncFolder(folder: string, want: WantedTree, context: ChangeContext): Promise<void> {
  await context.folder({ path: folder, mode: FOLDER_MODE });
  const have = await context.ask<TreeState>({ ask: "tree", path: folder });
  await repairTree(context, folder, have, want, { folders: FOLDER_MODE });
  const stale = findStalePaths(have, want).filter((path) => !path.split("/").includes(".."));
  const paths = stale.map((path) => posix.join(folder.replace(/^~\//, "./"), path));
  if (paths.length > 0) await context.$`rm -rf -- ${paths}`;
}

/** By what the program reports. */
const ERROR_CODES: Readonly<Record<string, ErrorCode>> = {
  REFUSED: "REFUSED",
  HELD: "HELD",
  NO_PYTHON: "NO_PYTHON",
  NO_SPACE: "NO_SPACE",
  TIMEOUT: "TIMEOUT",
  FILE: "FILE",
};

function createBuildError({ error, reason, tail }: Record<string, unknown>, python: string): MusterError {
  const kind = String(error);
  const lines = Array.isArray(tail) ? tail.map(String) : [];
  const output = kind === "NO_VENV" || lines.length === 0 ? "" : `: ${lines.join("; ")}`;
  const code = ERROR_CODES[kind] ?? "INSTALL";
  return new MusterError(code, `${String(reason)}${output}`, { next: nextAction(kind, python, lines) });
}

function nextAction(kind: string, python: string, lines: string[]): string {
  switch (kind) {
    case "REFUSED":
      return "Move it away there, or set another path with `at`.";
    case "HELD":
      return "Wait until it has finished, then run this again.";
    case "NO_PYTHON":
      return `Install ${python} there, or set \`python\` of the environment.`;
    case "NO_VENV":
      return `Install it there with \`sudo apt-get install ${quote(lines[0] ?? "python3-venv")}\` (Debian, Ubuntu), or install uv.`;
    case "NO_CONDA":
      return "Install micromamba there, or use `requirements` instead of `conda`.";
    case "NO_SPACE":
      return "Free some space there.";
    case "TIMEOUT":
      return "Check that the node reaches its package index, or give pip wheels with `find_links`.";
    default:
      return "Correct the requirements, or add the missing wheels to `find_links`; then run this again.";
  }
}
