import type { JobReader } from "./reader.js";
import type { Placeholders } from "./specreader.js";

/** Names that no parameter or matrix key may have. Those of later versions are not reserved: older jobs may use them. */
const RESERVED_PLACEHOLDERS = ["chunk", "out", "gpu", "start", "end"];
const COMMON_PLACEHOLDERS = ["chunk", "out", "gpu", "gpus", "cores", "state"];
const PLACEHOLDERS_OF_KIND: Readonly<Record<string, readonly string[]>> = {
  range: ["start", "end", "last", "count"],
  shards: ["index", "number", "shards"],
};

/**
 * Returns the placeholders that the args of a job may use. A parameter or matrix key takes precedence over a placeholder of
 * muster; those that hide a reserved one, or each other, are reported.
 */
export function readPlaceholders(reader: JobReader, kind: string | undefined): Placeholders {
  const own = [...COMMON_PLACEHOLDERS, ...(PLACEHOLDERS_OF_KIND[kind ?? ""] ?? [])];
  const axes = reader.keys(["matrix"]);
  const params = reader.texts(["params"]);
  for (const [where, keys] of [
    ["matrix", axes],
    ["params", Object.keys(params)],
  ] as const) {
    for (const key of keys) {
      const isTaken = RESERVED_PLACEHOLDERS.includes(key);
      const place = reader.source.positionOfKey([where, key]);
      if (isTaken) reader.report(place, `${where}.${key}: {${key}} is a placeholder of muster`, "choose another name");
      else if (where === "params" && axes.includes(key)) {
        reader.report(place, `params.${key}: the matrix has a key of that name`, "choose another name");
      }
    }
  }
  return { known: new Set([...own, ...axes, ...Object.keys(params)]), params: new Map(Object.entries(params)) };
}

/** Returns every name in braces in the args of the job and its tasks. */
export function findUsedPlaceholders(reader: JobReader): Set<string> {
  const lists = [[], ...reader.items(["tasks"])].flatMap((path) => [
    ...(reader.list([...path, "args"]) ?? []),
    ...(reader.list([...path, "command"]) ?? []),
  ]);
  return new Set(
    lists.flatMap(({ text }) => [...text.matchAll(/\{([A-Za-z_][A-Za-z0-9_-]*)\}/g)].map((match) => match[1]!)),
  );
}
