import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Problem } from "../schemas/errors.js";
import {
  parseDuration,
  parseDurationOrNever,
  parseIntervalOrNever,
  parsePrice,
  parseSizeOrZero,
} from "../schemas/quantity.js";
import type { Source } from "../schemas/source.js";
import { suggest } from "../schemas/suggest.js";
import type { InventoryFile } from "../schemas/types.js";
import { findRocmProblems } from "./mergedrivers.js";
import { mergeGpuGroups } from "./mergegroups.js";
import {
  findFractionProblem,
  findSharingProblem,
  type InventoryLayer,
  mergeProfile,
  mergeTexts,
  type NodeKeys,
  parseValue,
  pickFrom,
} from "./mergeprofile.js";
import { mergeNodeState } from "./mergestate.js";
import { NO_PROFILE, type Node } from "./node.js";
import { NO_STATE } from "./nodestate.js";
import { findSettingsProblems } from "./settingsproblems.js";

const DEFAULT_WORKDIR = "~/.muster";
const DEFAULT_SILENCE_SECONDS = 40;
const DEFAULT_GRACE_SECONDS = 60;
const DEFAULT_LEASE_SECONDS = 40 * 60;
const DEFAULT_GPU_CHECK_SECONDS = 60;
const DEFAULT_GPU_SAMPLE_SECONDS = 10;

/**
 * Merges the defaults, the profile and the node's own keys into the node called `name`; later layers override earlier ones. Returns
 * Problems if the node names a profile that does not exist, a host with its port or user, or kinds of GPU that contradict each other.
 */
export function mergeNode(source: Source, folder: string, name: string): Node | Problem[] {
  const file = source.value as InventoryFile;
  const own: NodeKeys = file.nodes[name] ?? {};
  const profileName = own.profile ?? NO_PROFILE;
  const profile = Object.hasOwn(file.profiles ?? {}, profileName) ? file.profiles?.[profileName] : undefined;
  if (own.profile !== undefined && profile === undefined && own.profile !== NO_PROFILE)
    return [
      {
        ...source.positionOf(["nodes", name, "profile"]),
        message: `nodes.${name}.profile: there is no profile "${own.profile}"`,
        hint: suggest(own.profile, Object.keys(file.profiles ?? {})) ?? "describe it under profiles",
      },
    ];
  const layers: InventoryLayer[] = [
    { path: ["defaults"], keys: (file.defaults ?? {}) as InventoryLayer["keys"] },
    // Settings that a profile has for whole nodes do not hold where GPUs are of several kinds.
    ...(Array.isArray(own.gpus) ? [] : [{ path: ["profiles", profileName], keys: profile ?? {} }]),
    { path: ["nodes", name], keys: own },
  ];
  const pick = <K extends keyof InventoryLayer["keys"]>(key: K) => pickFrom(layers, key);
  const gpus = pick("gpus");
  const several = Array.isArray(gpus) ? mergeGpuGroups(source, name, gpus) : undefined;
  const ownProblems = () => [
    ...findFractionProblem(source, layers),
    ...findSharingProblem(source, layers),
    ...findSettingsProblems(source, layers, pick("vendor") ?? "none"),
  ];
  const problems = [
    ...findAddressProblems(source, name, own),
    ...(several?.problems ?? ownProblems()),
    ...findRocmProblems(source, layers),
  ];
  if (problems.length > 0) return problems;
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
    profile: several?.profile ?? mergeProfile(source, layers, profileName),
    gpuGroups: several?.gpuGroups,
    gpus: Array.isArray(gpus) ? several?.gpus : gpus,
    pci: own.pci,
    slots: pick("slots"),
    maxConcurrent: pick("max_concurrent"),
    tags: own.tags ?? [],
    powerCycle: own.power_cycle?.map((_, index) => source.text(["nodes", name, "power_cycle", index])),
    workdir: pick("workdir") ?? DEFAULT_WORKDIR,
    python: pick("python") ?? "python3",
    pythonModules: pick("python_modules"),
    env: mergeTexts(source, layers, "env"),
    silenceSeconds: parseValue(pick("silence"), parseDuration) ?? DEFAULT_SILENCE_SECONDS,
    graceSeconds: parseValue(pick("grace"), parseDuration) ?? DEFAULT_GRACE_SECONDS,
    leaseSeconds: parseValue(pick("lease"), parseDuration) ?? DEFAULT_LEASE_SECONDS,
    cacheBytes: parseValue(pick("cache"), parseSizeOrZero),
    gpuCheckSeconds: parseValue(pick("gpu_check"), parseDurationOrNever) ?? DEFAULT_GPU_CHECK_SECONDS,
    gpuSampleSeconds: parseValue(pick("gpu_samples"), parseIntervalOrNever) ?? DEFAULT_GPU_SAMPLE_SECONDS,
    pricePerKwh: parseValue(pick("price"), parsePrice),
    state: mergeNodeState(source, folder, layers),
  };
}

/** Returns what is wrong with the way to a machine: its host, and how it is power-cycled. */
function findAddressProblems(source: Source, name: string, { connection, host, power_cycle }: NodeKeys): Problem[] {
  const report = (key: "host" | "power_cycle", message: string, hint: string): Problem => ({
    ...source.positionOf(["nodes", name, key]),
    message: `nodes.${name}.${key}: ${message}`,
    hint,
  });
  const problems: Problem[] = [];
  if (power_cycle !== undefined && connection === "local")
    problems.push(
      report("power_cycle", "muster runs on this machine, and never power-cycles it", "remove power_cycle"),
    );
  const hostProblem = host === undefined ? undefined : findHostProblem(host);
  if (hostProblem !== undefined) problems.push(report("host", hostProblem.message, hostProblem.hint));
  return problems;
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
    profile: { name: NO_PROFILE, vendor: "none", env: {}, kernel: {}, limits: {}, settings: {} },
    tags: [],
    workdir: DEFAULT_WORKDIR,
    python: "python3",
    env: {},
    silenceSeconds: DEFAULT_SILENCE_SECONDS,
    graceSeconds: DEFAULT_GRACE_SECONDS,
    leaseSeconds: DEFAULT_LEASE_SECONDS,
    gpuCheckSeconds: DEFAULT_GPU_CHECK_SECONDS,
    gpuSampleSeconds: DEFAULT_GPU_SAMPLE_SECONDS,
    state: NO_STATE,
  };
}

function resolveLocalPath(folder: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : resolve(folder, path);
}
