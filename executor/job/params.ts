import { suggest } from "../../schemas/suggest.js";
import type { Params, Template } from "./chunk.js";
import { isScalar, type JobReader, type KeyPath } from "./reader.js";
import { fillTemplate } from "./template.js";

/** Returns the parameters at `path`: of the job, or of a task. Those that are not `known` are reported. */
export function readOwnParams(reader: JobReader, path: KeyPath, known: readonly string[]): Params {
  const own: Record<string, Params[string]> = {};
  for (const name of reader.keys([...path, "params"])) {
    const value = reader.source.get([...path, "params", name]);
    if (isScalar(value)) own[name] = value;
    if (!known.includes(name))
      reader.report(
        reader.source.positionOfKey([...path, "params", name]),
        `${path[0]}[${path[1]}].params: the job has no parameter "${name}"`,
        suggest(name, [...known]) ?? "name it in `params` of the job, with its usual value",
      );
  }
  return own;
}

/** Returns the values of parameters as they stand in arguments. */
export function toTexts(params: Params): Map<string, string> {
  return new Map(Object.entries(params).map(([name, value]) => [name, `${value}`]));
}

/** Returns templates with these parameters filled. */
export function fillParams(templates: readonly Template[], params: Params): Template[] {
  const values = toTexts(params);
  return templates.map((template) => fillTemplate(template, values));
}
