import { existsSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { checkSchema } from "../schemas/checkschema.js";
import { type FilePosition, InvalidFileError, type Problem } from "../schemas/errors.js";
import { readSource } from "../schemas/parsesource.js";
import type { KeyPath, Source } from "../schemas/source.js";
import type { InventoryFile } from "../schemas/types.js";
import { createInvalidFileError } from "../schemas/violations.js";
import { type Drain, drainsFilePath, readDrains } from "./drains.js";
import { type HealSettings, readHealSettings } from "./healing/healsettings.js";
import { findLimitProblems } from "./limitproblems.js";
import { createDefaultNode, mergeNode } from "./mergenode.js";
import type { Node } from "./node.js";
import { type PythonEnv, readPythonEnvs } from "./pythonenvs.js";
import { findSettingConflicts } from "./settingconflicts.js";
import type { Cluster } from "./slurm/cluster.js";
import { findClusterKeys, isCluster, mergeCluster } from "./slurm/mergecluster.js";

export { matchesAnyPattern, matchesPattern, selectFleet, selectNodes } from "./selectnodes.js";

/** The program of one job type of a jobs file. Each text is as written, with its position for error messages. */
export interface JobRoute {
  script: PositionedText;
  args: PositionedText[];
  inputs: PositionedText[];
  /** undefined: the arguments that follow `--output`. */
  outputs?: PositionedText[];
}

export interface PositionedText {
  text: string;
  position: FilePosition;
}

/** One value that several files of a node must agree on. `text`: the value as the inventory writes it. */
export interface Manifest {
  name: string;
  value: string | number | bigint | boolean;
  text: string;
  in: ValueLocation[];
}

/** A file of the node (absolute or `~/...`), and how to find the value in it. */
export type ValueLocation = { file: string } & (
  | { assignment: string }
  | { pointer: string }
  | { yaml: string }
  | { regex: string }
);

export interface Inventory {
  /** The machines, in the order of the file. */
  nodes: Node[];
  /** The Slurm clusters, in the order of the file. */
  clusters: Cluster[];
  playbooks: string[];
  /** Folder in a node's tmpfs -> local files (absolute paths). */
  ramdisk: Record<string, string[]>;
  /** Path on the node -> local path (absolute; a folder ends in `/`). */
  files: Record<string, string>;
  /** Folders of `files` in which stale files are deleted on the node; elsewhere they are only reported. */
  deleteStale: string[];
  manifests: Manifest[];
  /** By name. */
  pythonEnvs: Record<string, PythonEnv>;
  /** undefined: nodes are not healed. */
  heal?: HealSettings;
  routes: Record<string, JobRoute>;
  /** The type of a jobs-file entry that names neither script nor type. */
  defaultRoute: string;
  /** The folder that relative paths start from. */
  folder: string;
  /** Absolute path; undefined for the embedded inventory. */
  file?: string;
  origin: InventoryOrigin;
  /** Of the embedded inventory: one in a folder above, which is not used. Relative to `folder`. */
  unusedFile?: string;
}

/** Where an inventory came from: `file` if the caller named it, else the source that `findInventory` chose. */
export type InventoryOrigin =
  | "file"
  | "--inventory"
  | "$MUSTER_INVENTORY"
  | "./inventory.yaml"
  | "./inventory.yml"
  | "embedded";

/**
 * Loads and validates an inventory file, with the drains of its nodes: where their file is damaged, every node counts as drained. Throws
 * InvalidFileError with every problem found.
 */
export function loadInventory(file: string): Inventory {
  const path = resolve(file);
  const inventory = parseInventory(readSource(file), path);
  const find = findDrains(drainsFilePath(path)!);
  const nodes = inventory.nodes.map((node) => {
    const drain = find(node.name);
    return drain === undefined ? node : { ...node, drain };
  });
  return { ...inventory, nodes };
}

function findDrains(file: string): (node: string) => Drain | undefined {
  try {
    const drains = readDrains(file, Date.now());
    return (node) => drains.get(node);
  } catch (error) {
    if (!(error instanceof InvalidFileError)) throw error;
    const unknown = { since: new Date().toISOString(), reason: `${file} is damaged` };
    return () => unknown;
  }
}

/** An inventory of this machine only: a local connection, no GPUs, one CPU slot per core. */
export function embeddedInventory(folder = process.cwd()): Inventory {
  const name = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(hostname()) ? hostname() : "local";
  const nodes = [{ ...createDefaultNode(name), slots: availableParallelism() }];
  return {
    nodes,
    clusters: [],
    playbooks: [],
    ramdisk: {},
    files: {},
    deleteStale: [],
    manifests: [],
    pythonEnvs: {},
    routes: {},
    defaultRoute: "analysis",
    folder,
    origin: "embedded",
  };
}

/** The value of `-i` that selects this machine only, even if ./inventory.yaml exists. */
const LOCAL_INVENTORY = "local";
const INVENTORY_NAMES = ["inventory.yaml", "inventory.yml"] as const;

/**
 * Loads the inventory to use: `option` (-i), else $MUSTER_INVENTORY, else ./inventory.yaml or ./inventory.yml in
 * `cwd`, else the embedded one.
 * Throws InvalidFileError.
 */
export function findInventory(
  option: string | undefined,
  env: Record<string, string | undefined>,
  cwd: string,
): Inventory {
  if (option === LOCAL_INVENTORY) return embeddedInventory(cwd);
  if (option !== undefined) return { ...loadInventory(resolve(cwd, option)), origin: "--inventory" };
  const variable = env.MUSTER_INVENTORY;
  if (variable) return { ...loadInventory(resolve(cwd, variable)), origin: "$MUSTER_INVENTORY" };
  for (const name of INVENTORY_NAMES) {
    const here = resolve(cwd, name);
    if (existsSync(here)) return { ...loadInventory(here), origin: `./${name}` };
  }
  return { ...embeddedInventory(cwd), unusedFile: findInventoryAbove(cwd) };
}

/** Returns the inventory of the nearest folder above `cwd` that has one, relative to it. */
function findInventoryAbove(cwd: string): string | undefined {
  for (let folder = cwd; folder !== dirname(folder); ) {
    folder = dirname(folder);
    const file = INVENTORY_NAMES.map((name) => join(folder, name)).find((path) => existsSync(path));
    if (file !== undefined) return relative(cwd, file);
  }
  return undefined;
}

/** Parses an inventory from a source that stands for `file`. Throws InvalidFileError with every problem found. */
export function parseInventory(source: Source, file: string): Inventory {
  const problems = checkSchema(source, "inventory");
  if (problems.length > 0) throw createInvalidFileError(problems);
  const folder = dirname(file);
  const value = source.value as InventoryFile;
  const names = Object.keys(value.nodes);
  const machines = names.filter((name) => !isCluster(source, name));
  const merged = machines.map((name) => mergeNode(source, folder, name));
  const clusters = names.filter((name) => isCluster(source, name)).map((name) => mergeCluster(source, folder, name));
  const mergeProblems = [...merged, ...clusters].flatMap((one) => (Array.isArray(one) ? one : []));
  mergeProblems.push(...machines.flatMap((name) => findClusterKeys(source, name)));
  mergeProblems.push(
    ...findSettingConflicts(
      source,
      merged.flatMap((one) => (Array.isArray(one) ? [] : [one])),
    ),
  );
  mergeProblems.push(...findLimitProblems(source, value));
  const manifests = readManifests(source, value, mergeProblems);
  const pythonEnvs = readPythonEnvs(source, folder, mergeProblems);
  const heal = readHealSettings(source, folder, mergeProblems);
  if (mergeProblems.length > 0) throw createInvalidFileError(mergeProblems);
  return {
    nodes: merged as Node[],
    clusters: clusters as Cluster[],
    playbooks: value.playbooks ?? [],
    ramdisk: mapValues(value.ramdisk, (files) => files.map((one) => resolve(folder, one))),
    deleteStale: value.delete_stale ?? [],
    files: mapValues(value.files, (path) => `${resolve(folder, path)}${path.endsWith("/") ? "/" : ""}`),
    manifests,
    pythonEnvs,
    heal,
    routes: readRoutes(source, value),
    defaultRoute: value.defaults?.route ?? "analysis",
    folder,
    file,
    origin: "file",
  };
}

/** Appends what is wrong with their locations to `problems`. */
function readManifests(source: Source, file: InventoryFile, problems: Problem[]): Manifest[] {
  return Object.entries(file.manifests ?? {}).map(([name, manifest]) => {
    for (const [index, location] of manifest.in.entries()) {
      const problem = findLocationProblem(location);
      const where = `manifests.${name}.in[${index}]`;
      if (problem !== undefined)
        problems.push({ ...source.positionOf(["manifests", name, "in", index]), message: `${where} ${problem}` });
    }
    const text = source.text(["manifests", name, "value"]);
    return { name, value: manifest.value, text, in: manifest.in as ValueLocation[] };
  });
}

type LocationKeys = NonNullable<InventoryFile["manifests"]>[string]["in"][number];

function findLocationProblem({ assignment, pointer, yaml, regex }: LocationKeys): string | undefined {
  const selectors = [assignment, pointer, yaml, regex].filter((selector) => selector !== undefined);
  if (selectors.length !== 1) return "needs exactly one of assignment, pointer, yaml and regex";
  if (regex === undefined) return undefined;
  try {
    const groups = (new RegExp(`${regex}|`, "m").exec("")?.length ?? 1) - 1;
    return groups === 1 ? undefined : `needs a regex with one group, not ${groups}`;
  } catch (error) {
    return `has an invalid regular expression: ${(error as Error).message}`;
  }
}

function readRoutes(source: Source, file: InventoryFile): Record<string, JobRoute> {
  const written = (path: KeyPath): PositionedText => ({ text: source.text(path), position: source.positionOf(path) });
  return Object.fromEntries(
    Object.entries(file.routes ?? {}).map(([name, route]) => {
      const list = (key: "args" | "inputs" | "outputs") =>
        route[key]?.map((_, index) => written(["routes", name, key, index]));
      const script = written(["routes", name, "script"]);
      return [name, { script, args: list("args") ?? [], inputs: list("inputs") ?? [], outputs: list("outputs") }];
    }),
  );
}

function mapValues<T, U>(mapping: Record<string, T> | undefined, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(mapping ?? {}).map(([key, value]) => [key, change(value)]));
}
