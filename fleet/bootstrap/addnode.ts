import { MusterError } from "../../schemas/errors.js";
import { parseSource } from "../../schemas/parsesource.js";
import { parseSize } from "../../schemas/quantity.js";
import type { InventoryFile } from "../../schemas/types.js";
import { appendYamlPair, type YamlPairText } from "../../schemas/yamlappend.js";
import { formatFlowYaml } from "../../schemas/yamlflow.js";
import type { GpuKind } from "../discovery/gpukinds.js";
import { type DiscoveredHost, describeNode, formatNode, formatProfile } from "../discovery/nodeentry.js";
import { parseInventory } from "../inventory.js";

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
  for (const [profile, kind] of profiles) edited = addProfile(edited, file, formatProfilePair(profile, kind));
  edited = append(edited, file, ["nodes"], node);
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

function addProfile(text: string, file: string, pair: YamlPairText): string {
  const { profiles } = parseSource(file, text).value as InventoryFile;
  if (profiles !== undefined) return append(text, file, ["profiles"], pair);
  const block = ["profiles:", ...pair.block.map((line) => `  ${line}`)];
  return append(text, file, [], { key: "profiles", flow: `profiles: {${pair.flow}}`, block });
}

function append(text: string, file: string, path: string[], pair: YamlPairText): string {
  const edited = appendYamlPair(text, path, pair);
  if ("text" in edited) return edited.text;
  const where = path.length === 0 ? "at the top" : `under ${path.join(".")}`;
  throw new MusterError("INVALID_FILE", `${file} ${edited.problem}`, {
    next: `Add these lines ${where} by hand:\n${pair.block.map((line) => `  ${line}`).join("\n")}`,
  });
}
