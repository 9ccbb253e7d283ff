import type { Node } from "../../fleet/node.js";
import type { PythonEnv } from "../../fleet/pythonenvs.js";
import { listKnownNodes, matchesPattern, suggestNode } from "../../fleet/selectnodes.js";
import type { Cluster } from "../../fleet/slurm/cluster.js";
import { parseDuration, parseShare, parseSize, parseUnitPart } from "../../schemas/quantity.js";
import { suggest } from "../../schemas/suggest.js";
import { readAsk } from "./askprogram.js";
import { checkGpuCounts } from "./gpucounts.js";
import { readGpuShare } from "./gpushare.js";
import type { Job, JobRequirements } from "./job.js";
import { isScalar, type JobReader, type KeyPath, type SourceText } from "./reader.js";
import { readWarmWorkers } from "./warmworker.js";

/** The part of an inventory that loading a job needs. */
export interface KnownNodes {
  nodes: Node[];
  clusters?: readonly Cluster[];
  unusedFile?: string;
  pythonEnvs: Record<string, PythonEnv>;
}

/** The most bytes of an output if the job sets no limit: a larger one is probably a runaway. */
const DEFAULT_OUTPUT_BYTES = 4 * 2 ** 30;
/** The same for what a program prints, where that is an output. */
const DEFAULT_STDOUT_BYTES = 64 * 2 ** 20;
/** The most files of a chunk whose names are found when it has ended. */
const DEFAULT_FOUND_FILES = 1000;

/** How many chunks must fail alike to stop a run in which none has succeeded. */
const DEFAULT_ALIKE_FAILURES = 3;

/** The names that muster uses in a run directory. */
const RESERVED_NAMES = [
  "job.yaml",
  "job.json",
  "journal.ndjson",
  "ask.log",
  "ask.lock",
  "results",
  "append",
  "state",
  "logs",
  "results.ndjson",
  "summary.json",
  "lock",
];

/** The keys that every kind of job has, with defaults applied. */
export type JobSettings = Pick<
  Job,
  | "needs"
  | "pythonEnv"
  | "params"
  | "ask"
  | "retry"
  | "halt"
  | "limits"
  | "recheck"
  | "priority"
  | "warm"
  | "stallSeconds"
  | "tty"
  | "aggregate"
  | "collect"
  | "nanAsNull"
>;

/**
 * Reads the keys that every kind of job has. `fleet`: the nodes that may run the job; undefined = unknown, so `needs.nodes`
 * and `python_env` are not checked. `programFolders`: see JobOptions.
 */
export function readJobSettings(
  reader: JobReader,
  fleet: KnownNodes | undefined,
  programFolders: readonly string[] | undefined,
): JobSettings {
  return {
    needs: readNeeds(reader, fleet),
    pythonEnv: readPythonEnv(reader, fleet),
    params: readParams(reader),
    ask: readAsk(reader, programFolders),
    retry: {
      attempts: reader.number(["retry", "attempts"]) ?? 3,
      backoff: readSeconds(reader, ["retry", "backoff"]) ?? 1,
    },
    halt: readHalt(reader),
    limits: readLimits(reader),
    recheck: readRecheck(reader),
    priority: reader.number(["priority"]) ?? 0,
    warm: readWarmWorkers(reader),
    stallSeconds: readSeconds(reader, ["stall"]),
    tty: reader.source.get(["tty"]) === true,
    aggregate: readAggregate(reader),
    nanAsNull: reader.source.get(["nan_as_null"]) === true,
    collect: reader.text(["collect"]) === "lines" ? "lines" : "files",
  };
}

/** Returns a duration in seconds; undefined = there is none. */
export function readSeconds(reader: JobReader, path: KeyPath): number | undefined {
  const parsed = parseDuration(reader.source.get(path));
  return parsed.ok ? parsed.value : undefined;
}

/** Returns a size in bytes; undefined = there is none. */
export function readByteCount(reader: JobReader, path: KeyPath): number | undefined {
  const parsed = parseSize(reader.source.get(path));
  return parsed.ok ? parsed.value : undefined;
}

function readLimits(reader: JobReader): Job["limits"] {
  const output = readByteCount(reader, ["limits", "output"]);
  return {
    output: output ?? DEFAULT_OUTPUT_BYTES,
    stdout: output ?? DEFAULT_STDOUT_BYTES,
    files: reader.number(["limits", "files"]) ?? DEFAULT_FOUND_FILES,
  };
}

function readHalt(reader: JobReader): Job["halt"] {
  const failures = parseUnitPart(reader.source.get(["halt", "failures"]));
  const alike = reader.number(["halt", "alike"]) ?? DEFAULT_ALIKE_FAILURES;
  return { alike, ...(failures.ok ? { failures: failures.value } : {}) };
}

function readNeeds(reader: JobReader, fleet: KnownNodes | undefined): JobRequirements {
  const nodes = reader.list(["needs", "nodes"]);
  if (fleet !== undefined) checkNodes(reader, nodes ?? [], fleet);
  checkGpuCounts(reader, fleet && listKnownNodes(fleet));
  const gpuShare = readGpuShare(reader);
  return {
    vendor: reader.text(["needs", "vendor"]) as JobRequirements["vendor"],
    model: reader.text(["needs", "model"]),
    vram: readByteCount(reader, ["needs", "vram"]),
    gpus: reader.number(["needs", "gpus"]) ?? (gpuShare && 1),
    gpuShare,
    memory: readByteCount(reader, ["needs", "memory"]),
    cores: reader.number(["needs", "cores"]),
    nodes: nodes?.map(({ text }) => text),
    playbooks: reader.list(["needs", "playbooks"])?.map(({ text }) => text) ?? [],
  };
}

function checkNodes(reader: JobReader, nodes: SourceText[], fleet: KnownNodes): void {
  const known = listKnownNodes(fleet);
  for (const [index, { text, position }] of nodes.entries()) {
    if (known.some((node) => matchesPattern(node, text))) continue;
    const message = `needs.nodes[${index}]: the inventory has no node or tag "${text}"`;
    reader.report(position, message, suggestNode(text, fleet));
  }
}

function readPythonEnv(reader: JobReader, fleet: KnownNodes | undefined): Job["pythonEnv"] {
  const name = reader.text(["python_env"]);
  if (name === undefined || fleet === undefined) return undefined;
  const known = Object.hasOwn(fleet.pythonEnvs, name) ? fleet.pythonEnvs[name] : undefined;
  if (known !== undefined) return { name, at: known.at };
  const hint = suggest(name, Object.keys(fleet.pythonEnvs)) ?? "describe it under python_envs in the inventory";
  reader.reportAt(["python_env"], `python_env: the inventory has no environment "${name}"`, hint);
  return undefined;
}

/** Reads `recheck`, or `canary`, its earlier name. */
function readRecheck(reader: JobReader): Job["recheck"] {
  const key = reader.has(["recheck"]) ? "recheck" : "canary";
  const value = reader.source.get([key]);
  if (value === undefined) return undefined;
  if (key === "recheck" && reader.has(["canary"]))
    reader.report(
      reader.source.positionOfKey(["canary"]),
      "canary is the earlier name of recheck, which is given as well",
      "keep recheck",
    );
  const isMapping = typeof value === "object";
  const parsed = parseShare(isMapping ? reader.source.get([key, "share"]) : value);
  if (parsed.ok) return { share: parsed.value, tolerance: reader.number([key, "tolerance"]) };
  if (!isMapping) reader.reportAt([key], `${key} ${parsed.message}`, "or {share: 1%, tolerance: 1e-6}");
  return undefined;
}

function readParams(reader: JobReader): Job["params"] {
  const params: Record<string, string | number | bigint | boolean> = {};
  for (const key of reader.keys(["params"])) {
    const value = reader.source.get(["params", key]);
    if (isScalar(value)) params[key] = value;
  }
  return params;
}

function readAggregate(reader: JobReader): Job["aggregate"] {
  const [from, as, to] = ["from", "as", "to"].map((key) => reader.text(["aggregate", key]));
  if (from === undefined || as === undefined || to === undefined) return undefined;
  const fault = findAggregateFault(to);
  if (fault !== undefined) reader.reportAt(["aggregate", "to"], `aggregate.to: "${to}" ${fault}`, "e.g. hits.json");
  return { from, as: as as "array" | "lines" | "concat", to };
}

/** Returns why `name` cannot be the aggregate's file in the run directory; undefined = it can. */
export function findAggregateFault(name: string): string | undefined {
  if (RESERVED_NAMES.includes(name)) return "is a file name that muster uses";
  if (name.includes("/")) return "must be a plain file name, without folders";
  if (!/^[A-Za-z0-9_][A-Za-z0-9._+=,@ -]*$/.test(name) || name.length > 200) return "is not a safe file name";
  return undefined;
}
