import type { Node } from "../../fleet/node.js";
import { listNamesAndTags, matchesPattern } from "../../fleet/selectnodes.js";
import { parseDuration, parseShare, parseSize } from "../../schemas/quantity.js";
import { suggest } from "../../schemas/suggest.js";
import type { Job, JobRequirements } from "./job.js";
import { findAggregateFault } from "./outputs.js";
import { isScalar, type JobReader, type KeyPath, type SourceText } from "./reader.js";

/** The fleet as far as loading a job looks at it. */
export interface KnownNodes {
  nodes: Node[];
}

/** Bytes that an output may have where the job says nothing: what is larger is a runaway, most likely. */
const DEFAULT_OUTPUT_BYTES = 4 * 2 ** 30;

/** The keys that every kind of job has, with their defaults. */
export type JobSettings = Pick<
  Job,
  "needs" | "params" | "retry" | "limits" | "recheck" | "priority" | "aggregate" | "collect"
>;

/** `fleet`: where the job may run; undefined = not known yet, so `needs.nodes` is not looked up. */
export function readJobSettings(reader: JobReader, fleet: KnownNodes | undefined): JobSettings {
  return {
    needs: readNeeds(reader, fleet),
    params: readParams(reader),
    retry: {
      attempts: reader.number(["retry", "attempts"]) ?? 3,
      backoff: readSeconds(reader, ["retry", "backoff"]) ?? 1,
    },
    limits: { output: readByteCount(reader, ["limits", "output"]) ?? DEFAULT_OUTPUT_BYTES },
    recheck: readRecheck(reader),
    priority: reader.number(["priority"]) ?? 0,
    aggregate: readAggregate(reader),
    collect: reader.text(["collect"]) === "lines" ? "lines" : "files",
  };
}

/** A span of time in seconds; undefined where there is none. */
export function readSeconds(reader: JobReader, path: KeyPath): number | undefined {
  const parsed = parseDuration(reader.source.get(path));
  return parsed.ok ? parsed.value : undefined;
}

function readByteCount(reader: JobReader, path: KeyPath): number | undefined {
  const parsed = parseSize(reader.source.get(path));
  return parsed.ok ? parsed.value : undefined;
}

function readNeeds(reader: JobReader, fleet: KnownNodes | undefined): JobRequirements {
  const nodes = reader.list(["needs", "nodes"]);
  if (fleet !== undefined) checkNodes(reader, nodes ?? [], fleet);
  return {
    vendor: reader.text(["needs", "vendor"]) as JobRequirements["vendor"],
    model: reader.text(["needs", "model"]),
    vram: readByteCount(reader, ["needs", "vram"]),
    memory: readByteCount(reader, ["needs", "memory"]),
    nodes: nodes?.map(({ text }) => text),
    playbooks: reader.list(["needs", "playbooks"])?.map(({ text }) => text) ?? [],
  };
}

function checkNodes(reader: JobReader, nodes: SourceText[], fleet: KnownNodes): void {
  for (const [index, { text, position: place }] of nodes.entries()) {
    if (fleet.nodes.some((node) => matchesPattern(node, text))) continue;
    const known = listNamesAndTags(fleet.nodes);
    reader.report(place, `needs.nodes[${index}]: the inventory has no node or tag "${text}"`, suggest(text, known));
  }
}

function readRecheck(reader: JobReader): Job["recheck"] {
  const value = reader.source.get(["recheck"]);
  if (value === undefined) return undefined;
  const isMapping = typeof value === "object";
  const parsed = parseShare(isMapping ? reader.source.get(["recheck", "share"]) : value);
  if (parsed.ok) return { share: parsed.value, tolerance: reader.number(["recheck", "tolerance"]) };
  if (!isMapping) reader.reportAt(["recheck"], `canary ${parsed.message}`, "or {share: 1%, tolerance: 1e-6}");
  return undefined;
}

function readParams(reader: JobReader): Job["params"] {
  const params: Job["params"] = {};
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
