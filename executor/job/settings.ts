import type { Node } from "../../fleet/node.js";
import { isMeant, words } from "../../fleet/select.js";
import { suggest } from "../../schemas/nearest.js";
import { parseDuration, parseShare, parseSize } from "../../schemas/quantity.js";
import type { Job, Needs } from "./job.js";
import { aggregateFault } from "./outputs.js";
import { isScalar, type Path, type Reader, type Written } from "./reader.js";

/** The fleet as far as loading a job looks at it. */
export interface Fleet {
  nodes: Node[];
}

/** Bytes that an output may have where the job says nothing: what is larger is a runaway, most likely. */
const OUTPUT_LIMIT = 4 * 2 ** 30;

/** The keys that every kind of job has, with their defaults. */
export type Settings = Pick<
  Job,
  "needs" | "params" | "retry" | "limits" | "canary" | "priority" | "aggregate" | "collect"
>;

/** `fleet`: where the job may run; undefined = not known yet, so `needs.nodes` is not looked up. */
export function readSettings(reader: Reader, fleet: Fleet | undefined): Settings {
  return {
    needs: readNeeds(reader, fleet),
    params: readParams(reader),
    retry: {
      attempts: reader.number(["retry", "attempts"]) ?? 3,
      backoff: seconds(reader, ["retry", "backoff"]) ?? 1,
    },
    limits: { output: bytes(reader, ["limits", "output"]) ?? OUTPUT_LIMIT },
    canary: readCanary(reader),
    priority: reader.number(["priority"]) ?? 0,
    aggregate: readAggregate(reader),
    collect: reader.text(["collect"]) === "lines" ? "lines" : "files",
  };
}

/** A span of time in seconds; undefined where there is none. */
export function seconds(reader: Reader, path: Path): number | undefined {
  const parsed = parseDuration(reader.source.get(path));
  return parsed.ok ? parsed.value : undefined;
}

function bytes(reader: Reader, path: Path): number | undefined {
  const parsed = parseSize(reader.source.get(path));
  return parsed.ok ? parsed.value : undefined;
}

function readNeeds(reader: Reader, fleet: Fleet | undefined): Needs {
  const nodes = reader.list(["needs", "nodes"]);
  if (fleet !== undefined) checkNodes(reader, nodes ?? [], fleet);
  return {
    vendor: reader.text(["needs", "vendor"]) as Needs["vendor"],
    model: reader.text(["needs", "model"]),
    vram: bytes(reader, ["needs", "vram"]),
    memory: bytes(reader, ["needs", "memory"]),
    nodes: nodes?.map(({ text }) => text),
    playbooks: reader.list(["needs", "playbooks"])?.map(({ text }) => text) ?? [],
  };
}

function checkNodes(reader: Reader, nodes: Written[], fleet: Fleet): void {
  for (const [index, { text, place }] of nodes.entries()) {
    if (fleet.nodes.some((node) => isMeant(node, text))) continue;
    const known = words(fleet.nodes);
    reader.note(place, `needs.nodes[${index}]: the inventory has no node or tag "${text}"`, suggest(text, known));
  }
}

function readCanary(reader: Reader): Job["canary"] {
  const value = reader.source.get(["canary"]);
  if (value === undefined) return undefined;
  const isMapping = typeof value === "object";
  const parsed = parseShare(isMapping ? reader.source.get(["canary", "share"]) : value);
  if (parsed.ok) return { share: parsed.value, tolerance: reader.number(["canary", "tolerance"]) };
  if (!isMapping) reader.fault(["canary"], `canary ${parsed.message}`, "or {share: 1%, tolerance: 1e-6}");
  return undefined;
}

function readParams(reader: Reader): Job["params"] {
  const params: Job["params"] = {};
  for (const key of reader.keys(["params"])) {
    const value = reader.source.get(["params", key]);
    if (isScalar(value)) params[key] = value;
  }
  return params;
}

function readAggregate(reader: Reader): Job["aggregate"] {
  const [from, as, to] = ["from", "as", "to"].map((key) => reader.text(["aggregate", key]));
  if (from === undefined || as === undefined || to === undefined) return undefined;
  const fault = aggregateFault(to);
  if (fault !== undefined) reader.fault(["aggregate", "to"], `aggregate.to: "${to}" ${fault}`, "e.g. hits.json");
  return { from, as: as as "array" | "lines" | "concat", to };
}
