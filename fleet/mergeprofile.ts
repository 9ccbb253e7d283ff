import type { Problem } from "../schemas/errors.js";
import { parseClocks, parseFan, parsePower, parseShare, parseSize } from "../schemas/quantity.js";
import type { KeyPath, Source } from "../schemas/source.js";
import type { InventoryFile } from "../schemas/types.js";
import type { GpuSettings } from "./gpus/gpusettings.js";
import type { Profile } from "./node.js";

export type ProfileKeys = NonNullable<InventoryFile["profiles"]>[string];
export type NodeKeys = NonNullable<InventoryFile["nodes"][string]>;

/** The keys of the defaults, of a profile, or of a node. `path`: where they are in the file. */
export interface InventoryLayer {
  path: KeyPath;
  keys: Omit<ProfileKeys & NodeKeys, "gpus" | "modules"> & Pick<NodeKeys, "gpus" | "modules">;
}

/** Returns the value of a key in the last layer that has it. */
export function pickFrom<K extends keyof InventoryLayer["keys"]>(
  layers: readonly InventoryLayer[],
  key: K,
): InventoryLayer["keys"][K] | undefined {
  return layers.findLast(({ keys }) => keys[key] !== undefined)?.keys[key];
}

/** Merges what the layers say of GPUs into the profile called `name`; the last one is the node's own, whose `env` is no part of it. */
export function mergeProfile(source: Source, layers: InventoryLayer[], name: string): Profile {
  const pick = <K extends keyof InventoryLayer["keys"]>(key: K) => pickFrom(layers, key);
  return {
    name,
    vendor: pick("vendor") ?? "none",
    model: pick("model"),
    vram: parseValue(pick("vram"), parseSize),
    memoryFraction: parseValue(pick("memory_fraction"), parseShare),
    perGpu: pick("per_gpu"),
    rate: pick("rate"),
    env: mergeTexts(source, layers.slice(0, -1), "env"),
    kernel: mergeTexts(source, layers, "kernel"),
    limits: Object.assign({}, ...layers.map(({ keys }) => keys.limits ?? {})),
    settings: mergeSettings(layers),
  };
}

/** Merges what the layers say of the settings of GPUs. */
export function mergeSettings(layers: readonly InventoryLayer[]): GpuSettings {
  const pick = <K extends keyof InventoryLayer["keys"]>(key: K) => pickFrom(layers, key);
  const { sclk, mclk }: NonNullable<ProfileKeys["clocks"]> = Object.assign(
    {},
    ...layers.map(({ keys }) => keys.clocks ?? {}),
  );
  return {
    powerWatts: parseValue(pick("power"), parsePower),
    sclk: parseValue(sclk, parseClocks),
    mclk: parseValue(mclk, parseClocks),
    fan: parseValue(pick("fan"), parseFan),
    perf: pick("perf"),
    persistence: pick("persistence"),
    computeMode: pick("compute_mode"),
  };
}

/** Returns the problem of layers that limit the share of a memory whose size they do not tell. */
export function findFractionProblem(source: Source, layers: readonly InventoryLayer[]): Problem[] {
  const limiting = layers.findLast(({ keys }) => keys.memory_fraction !== undefined);
  if (limiting === undefined || pickFrom(layers, "vram") !== undefined) return [];
  const path = [...limiting.path, "memory_fraction"];
  const message = `${path.join(".")}: the memory of the GPU is not known`;
  return [{ ...source.positionOf(path), message, hint: "add vram, e.g. vram: 8GiB" }];
}

/** Returns the problem of a node without GPUs whose GPUs would be shared. Defaults are for the nodes that have some. */
export function findSharingProblem(source: Source, layers: readonly InventoryLayer[]): Problem[] {
  const sharing = layers.findLast(({ path, keys }) => path[0] !== "defaults" && keys.per_gpu !== undefined);
  const gpus = pickFrom(layers, "gpus");
  if (sharing === undefined || (gpus !== undefined && gpus !== 0) || (pickFrom(layers, "vendor") ?? "none") !== "none")
    return [];
  const path = [...sharing.path, "per_gpu"];
  const message = `${path.join(".")}: the node has no GPUs`;
  return [{ ...source.positionOf(path), message, hint: "name a profile with a vendor, or remove per_gpu" }];
}

/** Merges the mapping `key` of all layers, later ones over earlier ones. Values are as the file writes them. */
export function mergeTexts(
  source: Source,
  layers: readonly InventoryLayer[],
  key: "env" | "kernel",
): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const { path, keys } of layers) {
    for (const name of Object.keys(keys[key] ?? {})) merged[name] = source.text([...path, key, name]);
  }
  return merged;
}

/** Returns what `parse` makes of a value of the file; undefined where there is none. The schema reports one that cannot be parsed. */
export function parseValue<T>(
  value: unknown,
  parse: (value: unknown) => { ok: true; value: T } | { ok: false },
): T | undefined {
  const parsed = value === undefined ? undefined : parse(value);
  return parsed?.ok ? parsed.value : undefined;
}
