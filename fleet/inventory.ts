import { existsSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { checkSchema } from "../schemas/checkschema.js";
import type { FilePosition, Problem } from "../schemas/errors.js";
import { readSource } from "../schemas/parsesource.js";
import type { KeyPath, Source } from "../schemas/source.js";
import type { InventoryFile } from "../schemas/types.js";
import { createInvalidFileError } from "../schemas/violations.js";
import { createDefaultNode, mergeNode } from "./mergenode.js";
import type { Node } from "./node.js";

export { matchesAnyPattern, matchesPattern, selectNodes } from "./selectnodes.js";

/** What a job type of a jobs file runs. Texts as written, with their places, so that problems in them can be shown. */
export interface Route {
  script: PositionedText;
  args: PositionedText[];
  inputs: PositionedText[];
  /** undefined: what follows `--output` in the arguments. */
  outputs?: PositionedText[];
}

export interface PositionedText {
  text: string;
  position: FilePosition;
}

/** One value that stands in several files of a node. `text`: the value as the inventory writes it. */
export interface Manifest {
  name: string;
  value: string | number | bigint | boolean;
  text: string;
  in: ValueLocation[];
}

/** A file of the node (absolute or `~/...`), and where in it a value stands. */
export type ValueLocation = { file: string } & (
  | { assignment: string }
  | { pointer: string }
  | { yaml: string }
  | { regex: string }
);

export interface Inventory {
  /** In the order of the file. */
  nodes: Node[];
  playbooks: string[];
  /** Folder in a node's memory -> files here (absolute). */
  ramdisk: Record<string, string[]>;
  /** Path on the node -> path here (absolute; a folder ends in `/`). */
  files: Record<string, string>;
  /** Folders of `files` whose stale files are deleted on the node, not just reported. */
  deleteStale: string[];
  manifests: Manifest[];
  routes: Record<string, Route>;
  /** The type of a jobs-file entry that names neither script nor type. */
  defaultRoute: string;
  /** What relative paths in it are relative to. */
  folder: string;
  /** Absolute; undefined for the embedded one. */
  file?: string;
  origin: InventoryOrigin;
}

/** Where an inventory came from: `file` when it was named outright, else where `findInventory` found it. */
export type InventoryOrigin = "file" | "--inventory" | "$MUSTER_INVENTORY" | "./inventory.yaml" | "embedded";

/** Reads and checks an inventory. Throws InvalidFile with every problem in it. */
export function loadInventory(file: string): Inventory {
  const path = resolve(file);
  return parseInventory(readSource(file), path);
}

/** This machine alone: local, no GPUs, one slot a core. */
export function embeddedInventory(folder = process.cwd()): Inventory {
  const name = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(hostname()) ? hostname() : "local";
  const nodes = [{ ...createDefaultNode(name), slots: availableParallelism() }];
  return {
    nodes,
    playbooks: [],
    ramdisk: {},
    files: {},
    deleteStale: [],
    manifests: [],
    routes: {},
    defaultRoute: "analysis",
    folder,
    origin: "embedded",
  };
}

/** What `-i` takes instead of a file to mean this machine alone, whatever inventory lies around. */
const LOCAL_INVENTORY = "local";

/** The inventory to use: `option` (-i), else $MUSTER_INVENTORY, else ./inventory.yaml of `cwd`, else the embedded one. */
export function findInventory(
  option: string | undefined,
  env: Record<string, string | undefined>,
  cwd: string,
): Inventory {
  if (option === LOCAL_INVENTORY) return embeddedInventory(cwd);
  if (option !== undefined) return { ...loadInventory(resolve(cwd, option)), origin: "--inventory" };
  const variable = env.MUSTER_INVENTORY;
  if (variable) return { ...loadInventory(resolve(cwd, variable)), origin: "$MUSTER_INVENTORY" };
  const here = resolve(cwd, "inventory.yaml");
  if (existsSync(here)) return { ...loadInventory(here), origin: "./inventory.yaml" };
  return embeddedInventory(cwd);
}

/** The inventory that a source holds. Throws InvalidFile. */
export function parseInventory(source: Source, file: string): Inventory {
  const problems = checkSchema(source, "inventory");
  if (problems.length > 0) throw createInvalidFileError(problems);
  const folder = dirname(file);
  const value = source.value as InventoryFile;
  const merged = Object.keys(value.nodes).map((name) => mergeNode(source, folder, name));
  const faults = merged.filter((one): one is Problem => "message" in one);
  const manifests = readManifests(source, value, faults);
  if (faults.length > 0) throw createInvalidFileError(faults);
  return {
    nodes: merged as Node[],
    playbooks: value.playbooks ?? [],
    ramdisk: mapValues(value.ramdisk, (files) => files.map((one) => resolve(folder, one))),
    deleteStale: value.delete_stale ?? [],
    files: mapValues(value.files, (path) => `${resolve(folder, path)}${path.endsWith("/") ? "/" : ""}`),
    manifests,
    routes: readRoutes(source, value),
    defaultRoute: value.defaults?.route ?? "analysis",
    folder,
    file,
    origin: "file",
  };
}

function readManifests(source: Source, file: InventoryFile, faults: Problem[]): Manifest[] {
  return Object.entries(file.manifests ?? {}).map(([name, manifest]) => {
    for (const [index, spot] of manifest.in.entries()) {
      const fault = findLocationProblem(spot);
      const where = `manifests.${name}.in[${index}]`;
      if (fault !== undefined)
        faults.push({ ...source.positionOf(["manifests", name, "in", index]), message: `${where} ${fault}` });
    }
    const text = source.text(["manifests", name, "value"]);
    return { name, value: manifest.value, text, in: manifest.in as ValueLocation[] };
  });
}

type LocationKeys = NonNullable<InventoryFile["manifests"]>[string]["in"][number];

function findLocationProblem(spot: LocationKeys): string | undefined {
  const forms = [spot.assignment, spot.pointer, spot.yaml, spot.regex].filter((form) => form !== undefined);
  if (forms.length !== 1) return "needs one of assignment, pointer, yaml and regex";
  if (spot.regex === undefined) return undefined;
  try {
    const groups = (new RegExp(`${spot.regex}|`, "m").exec("")?.length ?? 1) - 1;
    return groups === 1 ? undefined : `needs a regex with one group, not ${groups}`;
  } catch (error) {
    return `holds no regular expression: ${(error as Error).message}`;
  }
}

function readRoutes(source: Source, file: InventoryFile): Record<string, Route> {
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
