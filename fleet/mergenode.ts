import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Problem } from "../schemas/errors.js";
import { parseDuration, parseDurationOrNever, parseShare, parseSize, parseSizeOrZero } from "../schemas/quantity.js";
import type { KeyPath, Source } from "../schemas/source.js";
import { suggest } from "../schemas/suggest.js";
import type { InventoryFile } from "../schemas/types.js";
import type { Node, Profile } from "./node.js";

type ProfileKeys = NonNullable<InventoryFile["profiles"]>[string];
type NodeKeys = NonNullable<InventoryFile["nodes"][string]>;
type InventoryLayer = { path: KeyPath; keys: ProfileKeys & NodeKeys };

const NO_PROFILE = "none";
const DEFAULT_WORKDIR = "~/.muster";
const DEFAULT_SILENCE_SECONDS = 40;
const DEFAULT_GRACE_SECONDS = 60;
const DEFAULT_LEASE_SECONDS = 40 * 60;
const DEFAULT_GPU_CHECK_SECONDS = 60;

/**
 * Merges the defaults, the profile and the node's own keys into the node called `name`; later layers override earlier ones. Returns a
 * Problem if the node names a profile that does not exist, or a host with its port or user.
 */
export function mergeNode(source: Source, folder: string, name: string): Node | Problem {
  const file = source.value as InventoryFile;
  const own: NodeKeys = file.nodes[name] ?? {};
  const profileName = own.profile ?? NO_PROFILE;
  const profile = Object.hasOwn(file.profiles ?? {}, profileName) ? file.profiles?.[profileName] : undefined;
  if (own.profile !== undefined && profile === undefined && own.profile !== NO_PROFILE) {
    return {
      ...source.positionOf(["nodes", name, "profile"]),
      message: `nodes.${name}.profile: there is no profile "${own.profile}"`,
      hint: suggest(own.profile, Object.keys(file.profiles ?? {})) ?? "describe it under profiles",
    };
  }
  const hostProblem = own.host === undefined ? undefined : findHostProblem(own.host);
  if (hostProblem !== undefined) {
    const { message, hint } = hostProblem;
    return { ...source.positionOf(["nodes", name, "host"]), message: `nodes.${name}.host: ${message}`, hint };
  }
  const layers: InventoryLayer[] = [
    { path: ["defaults"], keys: (file.defaults ?? {}) as InventoryLayer["keys"] },
    { path: ["profiles", profileName], keys: profile ?? {} },
    { path: ["nodes", name], keys: own },
  ];
  const pick = <K extends keyof InventoryLayer["keys"]>(key: K) =>
    layers.findLast(({ keys }) => keys[key] !== undefined)?.keys[key];
  if (pick("memory_fraction") !== undefined && pick("vram") === undefined) {
    const { path } = layers.findLast(({ keys }) => keys.memory_fraction !== undefined)!;
    return {
      ...source.positionOf([...path, "memory_fraction"]),
      message: `${[...path, "memory_fraction"].join(".")}: the memory of the GPU is not known`,
      hint: "add vram, e.g. vram: 8GiB",
    };
  }
  const connection = own.connection ?? "ssh";
  return {
    name,
    connection,
    host: own.host ?? (connection === "local" ? "localhost" : name),
    port: pick("port"),
    user: pick("user"),
    identityFile: resolveLocalPath(folder, pick("identity_file")),
    knownHosts: resolveLocalPath(folder, pick("known_hosts")),
    hostKeys: pick("host_keys"),
    profile: mergeProfile(source, layers, profileName, pick),
    gpus: pick("gpus"),
    pci: own.pci,
    slots: pick("slots"),
    maxConcurrent: pick("max_concurrent"),
    tags: own.tags ?? [],
    workdir: pick("workdir") ?? DEFAULT_WORKDIR,
    python: pick("python") ?? "python3",
    pythonModules: pick("python_modules"),
    env: mergeTexts(source, layers, "env"),
    silenceSeconds: toSeconds(pick("silence")) ?? DEFAULT_SILENCE_SECONDS,
    graceSeconds: toSeconds(pick("grace")) ?? DEFAULT_GRACE_SECONDS,
    leaseSeconds: toSeconds(pick("lease")) ?? DEFAULT_LEASE_SECONDS,
    cacheBytes: toBytesOrZero(pick("cache")),
    gpuCheckSeconds: toSecondsOrNever(pick("gpu_check")) ?? DEFAULT_GPU_CHECK_SECONDS,
  };
}

/** Finds out that a host holds what belongs into keys of its own. An IPv6 address has more than one colon. */
function findHostProblem(host: string): { message: string; hint: string } | undefined {
  const [, user, rest = host] = /^([^@]+)@(.*)$/.exec(host) ?? [];
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(rest) ?? [];
  if (user === undefined && port === undefined) return undefined;
  const keys = [
    `host: ${JSON.stringify(bracketed ?? plain ?? rest)}`,
    ...(port === undefined ? [] : [`port: ${port}`]),
    ...(user === undefined ? [] : [`user: ${JSON.stringify(user)}`]),
  ];
  const what = [...(user === undefined ? [] : ["a user"]), ...(port === undefined ? [] : ["a port"])].join(" and ");
  return { message: `"${host}" holds ${what}`, hint: `write ${keys.join(", ")}` };
}

/** Returns a local node without GPUs, with the default of every setting. */
export function createDefaultNode(name: string): Node {
  return {
    name,
    connection: "local",
    host: "localhost",
    profile: { name: NO_PROFILE, vendor: "none", env: {}, kernel: {}, limits: {} },
    tags: [],
    workdir: DEFAULT_WORKDIR,
    python: "python3",
    env: {},
    silenceSeconds: DEFAULT_SILENCE_SECONDS,
    graceSeconds: DEFAULT_GRACE_SECONDS,
    leaseSeconds: DEFAULT_LEASE_SECONDS,
    gpuCheckSeconds: DEFAULT_GPU_CHECK_SECONDS,
  };
}

function mergeProfile(
  source: Source,
  layers: InventoryLayer[],
  name: string,
  pick: <K extends keyof InventoryLayer["keys"]>(key: K) => InventoryLayer["keys"][K] | undefined,
): Profile {
  return {
    name,
    vendor: pick("vendor") ?? "none",
    model: pick("model"),
    vram: toBytes(pick("vram")),
    memoryFraction: toShare(pick("memory_fraction")),
    rate: pick("rate"),
    env: mergeTexts(source, layers.slice(0, 2), "env"),
    kernel: mergeTexts(source, layers, "kernel"),
    limits: Object.assign({}, ...layers.map(({ keys }) => keys.limits ?? {})),
  };
}

/** Merges the mapping `key` of all layers, later ones over earlier ones. Values are as the file writes them. */
function mergeTexts(source: Source, layers: InventoryLayer[], key: "env" | "kernel"): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const { path, keys } of layers) {
    for (const name of Object.keys(keys[key] ?? {})) merged[name] = source.text([...path, key, name]);
  }
  return merged;
}

function resolveLocalPath(folder: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : resolve(folder, path);
}

function toSeconds(value: unknown): number | undefined {
  const parsed = value === undefined ? undefined : parseDuration(value);
  return parsed?.ok ? parsed.value : undefined;
}

function toSecondsOrNever(value: unknown): number | undefined {
  const parsed = value === undefined ? undefined : parseDurationOrNever(value);
  return parsed?.ok ? parsed.value : undefined;
}

function toShare(value: unknown): number | undefined {
  const parsed = value === undefined ? undefined : parseShare(value);
  return parsed?.ok ? parsed.value : undefined;
}

function toBytes(value: unknown): number | undefined {
  const parsed = value === undefined ? undefined : parseSize(value);
  return parsed?.ok ? parsed.value : undefined;
}

function toBytesOrZero(value: unknown): number | undefined {
  const parsed = value === undefined ? undefined : parseSizeOrZero(value);
  return parsed?.ok ? parsed.value : undefined;
}
