import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { PythonEnv } from "../../fleet/pythonenvs.js";
import { formatBytes } from "../../schemas/bytecount.js";
import { MusterError } from "../../schemas/errors.js";
import { readLocalTree } from "../engine/localsource.js";
import type { WantedTree } from "../engine/tree.js";
import { readEnvRequirements } from "./requirements.js";

/** What templates/muster_env/main.py is asked about, or to make. */
export interface EnvRequest {
  at: string;
  python: string;
  kind: "venv" | "conda";
  /** SHA-256 of everything that determines what is installed, except the version of Python, which the node adds. */
  key: string;
  wanted: string[];
  /** The content of a requirements file, or of an environment.yml. */
  requirements: string;
  constraints: string;
  /** Whether only the wheels beside the environment are installed. */
  wheels: boolean;
  /** Whether the copy of the project beside the environment is installed. */
  project: boolean;
}

/** An environment with its local sources. */
export interface EnvSources {
  request: EnvRequest;
  /** Reads the wheels to copy; undefined: there is no folder of wheels. */
  wheels?: () => Promise<WantedTree>;
  /** The files of the project to copy. */
  project?: WantedTree;
}

const WHEEL_FILE = /\.(whl|zip|tar\.gz|tar\.bz2|tgz)$/;
/** Folders that are no part of a project: they are made from it, or hold what is installed. */
const SKIPPED_FOLDER =
  /^(\.git|\.hg|\.venv|venv|\.tox|\.mypy_cache|\.pytest_cache|__pycache__|node_modules|runs|.*\.egg-info)$/;
const MAX_PROJECT_BYTES = 100 * 2 ** 20;

/**
 * Reads the local files of an environment. `nodePython`: the interpreter where the environment names none. Rejects with
 * InvalidFileError for an invalid requirements file, and with a MusterError (SOURCE, exit 65) for files that cannot be read.
 */
export async function readEnvSources(env: PythonEnv, nodePython: string): Promise<EnvSources> {
  const python = env.python ?? nodePython;
  const base = { at: env.at, python, wheels: env.findLinks !== undefined, project: env.project !== undefined };
  if (env.conda !== undefined) {
    const text = readText(env.conda);
    const key = hashParts(["conda", text]);
    return { request: { ...base, kind: "conda", key, wanted: [], requirements: text, constraints: "" } };
  }
  const { text, constraints, wanted } = readEnvRequirements(env);
  const project = env.project === undefined ? undefined : await readProject(env.project, env.name);
  const names = env.findLinks === undefined ? null : listWheels(env.findLinks);
  const content = project && [...project].map(([path, entry]) => [path, entry.kind === "file" ? entry.sha256 : ""]);
  const key = hashParts(["venv", python, text, constraints, names, content ?? null]);
  return {
    request: { ...base, kind: "venv", key, wanted, requirements: text, constraints },
    wheels: env.findLinks === undefined ? undefined : () => readWheels(env.findLinks!, env.name),
    project,
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new MusterError("SOURCE", `${path} cannot be read: ${(error as Error).message}`, {
      next: "Correct the path in the inventory, or create the file.",
    });
  }
}

/** Lists name and size of each wheel and source distribution. Their contents would take minutes to hash for every verification. */
function listWheels(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => WHEEL_FILE.test(name))
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).size}`);
}

function readWheels(folder: string, name: string): Promise<WantedTree> {
  return readLocalTree(
    folder,
    `python_envs.${name}.find_links`,
    (path) => WHEEL_FILE.test(path) && !path.includes("/"),
  );
}

async function readProject(folder: string, name: string): Promise<WantedTree> {
  const isKept = (path: string) => !path.split("/").some((part) => SKIPPED_FOLDER.test(part));
  const tree = await readLocalTree(folder, `python_envs.${name}.editable`, isKept);
  const bytes = [...tree.values()].reduce((sum, entry) => sum + (entry.kind === "file" ? entry.size : 0), 0);
  if (bytes <= MAX_PROJECT_BYTES) return tree;
  throw new MusterError(
    "SOURCE",
    `python_envs.${name}: the project in ${folder} has ${formatBytes(bytes)}, which is too much to copy`,
    {
      next: "Move data out of it, or name the folder of the package by the path of `requirements`.",
    },
  );
}

function hashParts(parts: unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
