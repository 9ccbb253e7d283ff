import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Problem } from "../schemas/errors.js";
import type { KeyPath, Source } from "../schemas/source.js";
import { describeSystemError } from "../schemas/systemerror.js";
import type { InventoryFile } from "../schemas/types.js";

/** A Python environment that the playbook python-env makes on nodes. Local paths are absolute. */
export interface PythonEnv {
  name: string;
  /** pip's requirements file. */
  requirements?: string;
  /** The interpreter's name or path on the node; undefined: the node's `python`. */
  python?: string;
  /** The path on the node, absolute or `~/...`: a symbolic link to the current environment. */
  at: string;
  /** The folder of wheels; undefined: pip uses the node's configuration. */
  findLinks?: string;
  /** The folder of the project that is installed too. */
  project?: string;
  /** An environment.yml. It excludes `requirements`, `findLinks` and `project`. */
  conda?: string;
}

type PythonEnvKeys = NonNullable<InventoryFile["python_envs"]>[string];

/** Reads `python_envs` of an inventory in `folder`. Appends what is wrong, e.g. a local file that does not exist, to `problems`. */
export function readPythonEnvs(source: Source, folder: string, problems: Problem[]): Record<string, PythonEnv> {
  const written = (source.value as InventoryFile).python_envs ?? {};
  const envs = Object.entries(written).map(([name, keys]) => readPythonEnv(name, keys, folder));
  for (const env of envs) {
    const report = (key: string | undefined, message: string, hint?: string) => {
      const path: KeyPath = key === undefined ? ["python_envs", env.name] : ["python_envs", env.name, key];
      problems.push({ ...source.positionOf(path), message: `${path.join(".")}: ${message}`, hint });
    };
    checkKeys(written[env.name]!, report);
    checkLocalPath(env.requirements, "file", (...why) => report("requirements", ...why));
    checkLocalPath(env.conda, "file", (...why) => report("conda", ...why));
    checkLocalPath(env.findLinks, "folder", (...why) => report("find_links", ...why));
    const twin = envs.find((other) => other !== env && other.at === env.at);
    if (twin !== undefined)
      report(undefined, `${env.at} is also the path of ${twin.name}`, "set another path with `at`");
  }
  return Object.fromEntries(envs.map((env) => [env.name, env]));
}

function readPythonEnv(name: string, keys: PythonEnvKeys, folder: string): PythonEnv {
  const local = (path: string | undefined) => (path === undefined ? undefined : resolve(folder, path));
  const requirements = local(keys.requirements);
  return {
    name,
    requirements,
    python: keys.python,
    at: (keys.at ?? `~/.venvs/${name}`).replace(/\/{2,}/g, "/"),
    findLinks: local(keys.find_links),
    project: keys.editable === true ? (requirements === undefined ? folder : dirname(requirements)) : undefined,
    conda: local(keys.conda),
  };
}

type Report = (key: string | undefined, message: string, hint?: string) => void;

function checkKeys(keys: PythonEnvKeys, report: Report): void {
  if (keys.requirements === undefined && keys.editable !== true && keys.conda === undefined)
    report(undefined, "names nothing to install", "add `requirements: requirements.txt`");
  if (keys.conda === undefined) return;
  for (const key of ["requirements", "python", "find_links", "editable"] as const)
    if (keys[key] !== undefined && keys[key] !== false)
      report(key, "cannot be combined with conda", "name Python and packages in the environment.yml");
}

function checkLocalPath(
  path: string | undefined,
  kind: "file" | "folder",
  report: (why: string, hint?: string) => void,
): void {
  if (path === undefined) return;
  try {
    const stats = statSync(path);
    if (kind === "file" ? !stats.isFile() : !stats.isDirectory()) report(`${path} is not a ${kind}`);
  } catch (error) {
    const refusal = describeSystemError(error);
    if (refusal === undefined) throw error;
    report(`${path} ${refusal.reason}`, refusal.hint);
  }
}
