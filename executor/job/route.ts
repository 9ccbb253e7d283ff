import type { Inventory } from "../../fleet/inventory.js";
import { suggest } from "../../schemas/suggest.js";
import type { Program, StagedFile, Template } from "./job.js";
import { type JobReader, type KeyPath, type SourceText, textInPlaceOf } from "./reader.js";
import { type LoadCache, readInputs, readScript } from "./specreader.js";
import { fillTemplate, parseTemplate } from "./template.js";

/** What an entry of a jobs file runs, and the args of its route, which precede its own. */
export interface EntryProgram {
  program: Program;
  args: { template: Template; written: SourceText }[];
  inputs: StagedFile[];
  /** undefined = what follows `--output`. */
  outputs?: SourceText[];
}

const TYPE_KEYS = ["job_type", "type", "analysis_type"];

/**
 * Returns what the inventory runs for the type of the entry at `path`; undefined, with problems reported, if there is no
 * route or its script cannot run.
 */
export function readRoute(
  reader: JobReader,
  path: KeyPath,
  id: string,
  inventory: Inventory,
  cache: LoadCache,
): EntryProgram | undefined {
  const key = TYPE_KEYS.find((one) => reader.text([...path, one]) !== undefined);
  const type = key === undefined ? inventory.defaultRoute : reader.text([...path, key])!;
  const route = Object.hasOwn(inventory.routes, type) ? inventory.routes[type] : undefined;
  if (route === undefined) {
    reportNoRoute(reader, path, key, type, inventory);
    return undefined;
  }
  const what = `jobs[${path[1]}] (route ${type})`;
  const program = readScript(reader, route.script, cache, `routes.${type}.script`, inventory.folder);
  const expand = (one: SourceText) => expandText(reader, path, what, one, routeValues(reader, path, id));
  const args = route.args.map(expand);
  const inputs = readInputs(reader, route.inputs, cache, `routes.${type}.inputs`, inventory.folder);
  const outputs = route.outputs?.map((one) => expand(one).written);
  return program === undefined ? undefined : { program, args, inputs, outputs };
}

function reportNoRoute(
  reader: JobReader,
  path: KeyPath,
  key: string | undefined,
  type: string,
  inventory: Inventory,
): void {
  const known = Object.keys(inventory.routes);
  const given = key === undefined ? `names neither script nor type, and` : `has the type "${type}", but`;
  const message = `jobs[${path[1]}] ${given} the inventory has no route "${type}"`;
  const hint = suggest(type, known) ?? `name a script, or describe "${type}" under routes of an inventory (-i FILE)`;
  reader.reportAt(key === undefined ? path : [...path, key], message, hint);
}

/** Returns the scalar keys of the entry, and its id. */
function routeValues(reader: JobReader, path: KeyPath, id: string): Map<string, string> {
  return new Map([...Object.entries(reader.texts(path)), ["chunk", id]]);
}

function expandText(reader: JobReader, path: KeyPath, what: string, one: SourceText, values: Map<string, string>) {
  for (const name of ["out", "gpu"]) values.delete(name);
  const { template, fault } = parseTemplate(one.text, new Set([...values.keys(), "out", "gpu", "gpus", "cores"]));
  if (fault !== undefined) reader.reportAt(path, `${what}: ${fault.message}`, fault.hint);
  const filled = fillTemplate(template, values);
  const text = filled.map((piece) => (typeof piece === "string" ? piece : `{${piece.name}}`)).join("");
  // {out} is the working directory, so a path below it is relative.
  return { template: filled, written: textInPlaceOf(one, text.replace(/^((?:--output=)?)\{out\}\//, "$1")) };
}
