import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Problem } from "../schemas/errors.js";
import { suggest } from "../schemas/nearest.js";
import { parseDuration, parsePause, parseSize } from "../schemas/quantity.js";
import type { Path, Source } from "../schemas/source.js";
import type { InventoryFile } from "../schemas/types.js";
import type { Node, Profile } from "./node.js";

type ProfileKeys = NonNullable<InventoryFile["profiles"]>[string];
type NodeKeys = NonNullable<InventoryFile["nodes"][string]>;
type Layer = { path: Path; keys: ProfileKeys & NodeKeys };

export const NO_PROFILE = "none";
const WORKDIR = "~/.muster";
const SILENCE = 40;
const GRACE = 60;
const LEASE = 40 * 60;
const GPU_CHECK = 60;

/** The node called `name` with defaults, profile and its own keys merged, in that order of precedence from weak to strong. */
export function mergeNode(source: Source, folder: string, name: string): Node | Problem {
  const file = source.value as InventoryFile;
  const own: NodeKeys = file.nodes[name] ?? {};
  const profileName = own.profile ?? NO_PROFILE;
  const profile = Object.hasOwn(file.profiles ?? {}, profileName) ? file.profiles?.[profileName] : undefined;
  if (own.profile !== undefined && profile === undefined && own.profile !== NO_PROFILE) {
    return {
      ...source.at(["nodes", name, "profile"]),
      message: `nodes.${name}.profile: there is no profile "${own.profile}"`,
      hint: suggest(own.profile, Object.keys(file.profiles ?? {})) ?? "describe it under profiles",
    };
  }
  const layers: Layer[] = [
    { path: ["defaults"], keys: (file.defaults ?? {}) as Layer["keys"] },
    { path: ["profiles", profileName], keys: profile ?? {} },
    { path: ["nodes", name], keys: own },
  ];
  const pick = <K extends keyof Layer["keys"]>(key: K) =>
    layers.findLast(({ keys }) => keys[key] !== undefined)?.keys[key];
  const connection = own.connection ?? "ssh";
  return {
    name,
    connection,
    host: own.host ?? (connection === "local" ? "localhost" : name),
    port: pick("port"),
    user: pick("user"),
    identityFile: localPath(folder, pick("identity_file")),
    knownHosts: localPath(folder, pick("known_hosts")),
    hostKeys: pick("host_keys"),
    profile: mergeProfile(source, layers, profileName, pick),
    gpus: pick("gpus"),
    pci: own.pci,
    slots: pick("slots"),
    maxConcurrent: pick("max_concurrent"),
    tags: own.tags ?? [],
    workdir: pick("workdir") ?? WORKDIR,
    python: pick("python") ?? "python3",
    pythonModules: pick("python_modules"),
    env: mergeTexts(source, layers, "env"),
    silence: seconds(pick("silence")) ?? SILENCE,
    grace: seconds(pick("grace")) ?? GRACE,
    lease: seconds(pick("lease")) ?? LEASE,
    gpuCheck: pause(pick("gpu_check")) ?? GPU_CHECK,
  };
}

/** A node with nothing said about it. */
export function plainNode(name: string): Node {
  return {
    name,
    connection: "local",
    host: "localhost",
    profile: { name: NO_PROFILE, vendor: "none", env: {}, kernel: {}, limits: {} },
    tags: [],
    workdir: WORKDIR,
    python: "python3",
    env: {},
    silence: SILENCE,
    grace: GRACE,
    lease: LEASE,
    gpuCheck: GPU_CHECK,
  };
}

function mergeProfile(
  source: Source,
  layers: Layer[],
  name: string,
  pick: <K extends keyof Layer["keys"]>(key: K) => Layer["keys"][K] | undefined,
): Profile {
  return {
    name,
    vendor: pick("vendor") ?? "none",
    model: pick("model"),
    vram: bytes(pick("vram")),
    rate: pick("rate"),
    env: mergeTexts(source, layers.slice(0, 2), "env"),
    kernel: mergeTexts(source, layers, "kernel"),
    limits: Object.assign({}, ...layers.map(({ keys }) => keys.limits ?? {})),
  };
}

/** The mapping `key` of every layer, later ones over earlier ones, values as the file writes them. */
function mergeTexts(source: Source, layers: Layer[], key: "env" | "kernel"): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const { path, keys } of layers) {
    for (const name of Object.keys(keys[key] ?? {})) merged[name] = source.text([...path, key, name]);
  }
  return merged;
}

function localPath(folder: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : resolve(folder, path);
}

function seconds(value: unknown): number | undefined {
  const parsed = value === undefined ? undefined : parseDuration(value);
  return parsed?.ok ? parsed.value : undefined;
}

function pause(value: unknown): number | undefined {
  const parsed = value === undefined ? undefined : parsePause(value);
  return parsed?.ok ? parsed.value : undefined;
}

function bytes(value: unknown): number | undefined {
  const parsed = value === undefined ? undefined : parseSize(value);
  return parsed?.ok ? parsed.value : undefined;
}
