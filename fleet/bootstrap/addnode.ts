import { MusterError } from "../../schemas/errors.js";
import { isJsonObject } from "../../schemas/isjsonobject.js";
import { parseSource } from "../../schemas/parsesource.js";
import { parseSize } from "../../schemas/quantity.js";
import type { Source } from "../../schemas/source.js";
import type { InventoryFile } from "../../schemas/types.js";
import { appendYamlPair, type YamlPairText } from "../../schemas/yamlappend.js";
import { formatFlowYaml } from "../../schemas/yamlflow.js";
import type { GpuKind } from "../discovery/gpukinds.js";
import { type DiscoveredHost, describeNode, formatNode, formatProfile } from "../discovery/nodeentry.js";
import { type Inventory, parseInventory } from "../inventory.js";

/**
 * Adds a node, and profiles of GPUs that the inventory does not have yet, to its text. All other bytes stay as they are. Throws a MusterError
 * (INVALID_FILE) with the lines to add by hand where the text cannot be edited.
 */
export function addNode(text: string, file: string, name: string, host: DiscoveredHost): string {
  const value = parseSource(file, text).value as InventoryFile;
  const kinds = readKinds(value);
  const known = new Set(kinds.keys());
  const entry = describeNode(name, host, kinds);
  const profiles = [...kinds].filter(([profile]) => !known.has(profile));
  const node = { key: name, flow: `${name}: ${formatFlowYaml(entry.keys)}`, block: formatNode(entry) };
  let edited = text;
  for (const [profile, kind] of profiles) edited = addPair(edited, file, "profiles", formatProfilePair(profile, kind));
  edited = addPair(edited, file, "nodes", node);
  parseInventory(parseSource(file, edited), file);
  return edited;
}

/** The kinds of GPU that the profiles of an inventory describe, by their names. */
function readKinds({ profiles = {} }: InventoryFile): Map<string, GpuKind> {
  return new Map(
    Object.entries(profiles).map(([name, { vendor, model, vram }]) => {
      const size = vram === undefined ? undefined : parseSize(String(vram));
      return [
        name,
        { vendor: vendor as GpuKind["vendor"], model, ...(size?.ok ? { vram: size.value } : {}), gpus: [] },
      ];
    }),
  );
}

function formatProfilePair(name: string, kind: GpuKind): YamlPairText {
  const block = formatProfile(name, kind);
  const keys = block.slice(1).flatMap((line) => (/^\s*#/.test(line) ? [] : [line.replace(/ {3}#.*$/, "").trim()]));
  return { key: name, flow: `${name}: {${keys.join(", ")}}`, block };
}

/**
 * Parses the inventory to which machines are added. It may have no nodes yet: a state can be declared before there is a machine for it.
 * Throws InvalidFileError with every problem found.
 */
export function parseGrowingInventory(source: Source, file: string): Inventory {
  const { value } = source;
  if (!isJsonObject(value) || !isWithoutNodes(value)) return parseInventory(source, file);
  const flow = "placeholder: {connection: local}";
  const text = addPair(source.content, source.file, "nodes", { key: "placeholder", flow, block: [flow] });
  return { ...parseInventory(parseSource(source.file, text), file), nodes: [] };
}

function isWithoutNodes({ nodes }: Record<string, unknown>): boolean {
  return nodes === undefined || (isJsonObject(nodes) && Object.keys(nodes).length === 0);
}

/** Adds a pair to the mapping of a top-level key, which is made where it is not there. */
function addPair(text: string, file: string, key: "profiles" | "nodes", pair: YamlPairText): string {
  const value = parseSource(file, text).value as InventoryFile;
  if (value[key] !== undefined) return append(text, file, [key], pair);
  const block = [`${key}:`, ...pair.block.map((line) => `  ${line}`)];
  return append(text, file, [], { key, flow: `${key}: {${pair.flow}}`, block });
}

function append(text: string, file: string, path: string[], pair: YamlPairText): string {
  const edited = appendYamlPair(text, path, pair);
  if ("text" in edited) return edited.text;
  const where = path.length === 0 ? "at the top" : `under ${path.join(".")}`;
  throw new MusterError("INVALID_FILE", `${file} ${edited.problem}`, {
    next: `Add these lines ${where} by hand:\n${pair.block.map((line) => `  ${line}`).join("\n")}`,
  });
}
