import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Source } from "../schemas/source.js";
import type { Groups, Modules, PackageSources, Services, Templates, Values } from "../schemas/types.js";
import { mergeNvidia, mergeRocm } from "./mergedrivers.js";
import type { InventoryLayer } from "./mergeprofile.js";
import type { NodeState, TemplateValue } from "./nodestate.js";

/** Merges what the layers say of the state of a node: of each name, the last layer counts. `folder`: where local paths start from. */
export function mergeNodeState(source: Source, folder: string, layers: readonly InventoryLayer[]): NodeState {
  const merge = <T>(
    key: StateKey,
    read: (value: T, layer: InventoryLayer, name: string) => unknown = (value) => value,
  ) =>
    Object.fromEntries(
      layers.flatMap((layer) =>
        Object.entries(layer.keys[key] ?? {}).map(([name, value]) => [name, read(value as T, layer, name)]),
      ),
    ) as never;
  return {
    packageSources: merge<PackageSources[string]>("package_sources", (one) => ({
      ...one,
      key: resolve(folder, one.key),
    })),
    packages: merge("packages"),
    services: merge<Services[string]>("services", (one) =>
      one.unit === undefined ? one : { ...one, unit: resolve(folder, one.unit) },
    ),
    groups: merge<Groups[string]>("groups"),
    modules: merge<Modules[string]>("modules", (one, { path }, name) => ({
      ...one,
      ...(one.options === undefined
        ? {}
        : { options: readTexts(source, [...path, "modules", name, "options"], one.options) }),
    })),
    mounts: merge("mounts"),
    git: merge("git"),
    lines: merge("lines"),
    templates: merge<Templates[string]>("templates", (one) => ({ ...one, source: resolve(folder, one.source) })),
    values: merge<Values[string]>("values", (one, { path }, name) =>
      readValue(one, folder, () => source.text([...path, "values", name])),
    ),
    rocm: mergeRocm(source, folder, layers),
    nvidia: mergeNvidia(source, layers),
  };
}

type StateKey =
  | "package_sources"
  | "packages"
  | "services"
  | "groups"
  | "modules"
  | "mounts"
  | "git"
  | "lines"
  | "templates"
  | "values";

function readTexts(source: Source, path: (string | number)[], options: object): Record<string, string> {
  return Object.fromEntries(Object.keys(options).map((name) => [name, source.text([...path, name])]));
}

function readValue(value: Values[string], folder: string, readText: () => string): TemplateValue {
  if (typeof value !== "object") return { kind: "text", text: readText() };
  if (value.env !== undefined) return { kind: "env", name: value.env };
  if (value.command !== undefined) return { kind: "command", argv: value.command };
  const path = value.file ?? "";
  return { kind: "file", path: path.startsWith("~/") ? join(homedir(), path.slice(2)) : resolve(folder, path) };
}
