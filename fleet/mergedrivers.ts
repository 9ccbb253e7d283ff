import { resolve } from "node:path";
import type { Problem } from "../schemas/errors.js";
import type { Source } from "../schemas/source.js";
import type { Nvidia, Rocm } from "../schemas/types.js";
import type { InventoryLayer } from "./mergeprofile.js";
import type { WantedNvidia, WantedRocm } from "./nodestate.js";

/** AMD's own repositories and the fingerprint of their signing key, as AMD's installation guides and the files of its repositories have them. */
const AMD_REPOSITORY = "https://repo.radeon.com";
const AMD_FINGERPRINT = "CA8BB4727A47B4D09B4EE8969386B48A1A693C5C";

/** Merges what the layers say of ROCm, key by key. `folder`: where the path of the key starts from. */
export function mergeRocm(source: Source, folder: string, layers: readonly InventoryLayer[]): WantedRocm {
  const { packages = ["rocm"], suite, key, fingerprint, repository, hold = true } = mergeKeys<Rocm>(layers, "rocm");
  const text = (name: "release" | "driver") => readText(source, layers, "rocm", name);
  return {
    release: text("release"),
    packages,
    driver: text("driver"),
    source:
      suite === undefined || key === undefined
        ? undefined
        : {
            repository: normalizeUri(repository ?? AMD_REPOSITORY),
            suite,
            key: resolve(folder, key),
            fingerprint: fingerprint ?? AMD_FINGERPRINT,
          },
    hold,
  };
}

/** Merges what the layers say of NVIDIA's driver, key by key. */
export function mergeNvidia(source: Source, layers: readonly InventoryLayer[]): WantedNvidia {
  const { packages, hold = true } = mergeKeys<Nvidia>(layers, "nvidia");
  const driver = readText(source, layers, "nvidia", "driver");
  return {
    driver,
    packages: packages ?? (driver === undefined ? [] : [`nvidia-driver-${driver}`]),
    hold,
  };
}

/** Returns what is missing for a release that the layers want to install. */
export function findRocmProblems(source: Source, layers: readonly InventoryLayer[]): Problem[] {
  const { release, driver, suite, key } = mergeKeys<Rocm>(layers, "rocm");
  const missing = [
    ...(suite === undefined ? ["suite: jammy"] : []),
    ...(key === undefined ? ["key: keys/rocm.gpg.key (from https://repo.radeon.com/rocm/rocm.gpg.key)"] : []),
  ];
  const name = release !== undefined ? "release" : driver !== undefined ? "driver" : undefined;
  if (name === undefined || missing.length === 0) return [];
  const layer = layers.findLast(({ keys }) => keys.rocm?.[name] !== undefined)!;
  const path = [...layer.path, "rocm", name];
  const message = `${path.join(".")}: packages of AMD need a suite and a key of its repository`;
  return [{ ...source.positionOf(path), message, hint: `add ${missing.join(" and ")}` }];
}

/** As apt prints it: `file:/srv`, also of `file:///srv/`. */
function normalizeUri(uri: string): string {
  return uri.replace(/^file:\/+/, "file:/").replace(/\/+$/, "");
}

function mergeKeys<T extends object>(layers: readonly InventoryLayer[], key: "rocm" | "nvidia"): Partial<T> {
  return Object.assign({}, ...layers.map(({ keys }) => keys[key] ?? {}));
}

/** Returns a value as it is written: 6.10 is no number. */
function readText(
  source: Source,
  layers: readonly InventoryLayer[],
  key: "rocm" | "nvidia",
  name: "release" | "driver",
): string | undefined {
  const layer = layers.findLast(({ keys }) => (keys[key] as Record<string, unknown> | undefined)?.[name] !== undefined);
  return layer === undefined ? undefined : source.text([...layer.path, key, name]);
}
