import type { Problem } from "../../schemas/errors.js";
import { parseDuration, parseSize } from "../../schemas/quantity.js";
import type { Source } from "../../schemas/source.js";
import type { InventoryFile } from "../../schemas/types.js";
import { mergeNode } from "../mergenode.js";
import { type NodeKeys, parseValue } from "../mergeprofile.js";
import type { Profile } from "../node.js";
import { NO_STATE } from "../nodestate.js";
import type { Cluster, ClusterKey } from "./cluster.js";
import { findRefusedWords } from "./refusedwords.js";

const DEFAULT_TIME_SECONDS = 3600;
const MIN_TIME_SECONDS = 60;
const DEFAULT_OVERFLOW_SECONDS = 30 * 60;
/** Of an agent without a coordinator: a pilot that nobody uses costs others. */
const LEASE_SECONDS = 5 * 60;
/** A folder for each pilot on the disk of its compute node: there may be no shared home. `%j`: the job id. */
const WORKDIR = "/tmp/muster-%j";

/** Keys of a node that only a cluster has. `modules` is one, too, if it is a list. */
const CLUSTER_KEYS = [
  "partition",
  "account",
  "gres",
  "cpus",
  "memory",
  "time",
  "pilots",
  "sbatch",
  "setup",
  "use",
  "overflow_after",
] as const satisfies readonly (keyof NodeKeys)[];

/** Keys whose value Slurm may refuse. */
const REFUSABLE_KEYS: readonly ClusterKey[] = ["partition", "account", "gres", "time", "memory", "cpus", "sbatch"];

/** Keys that describe a machine of one's own. */
const MACHINE_KEYS = [
  "gpus",
  "pci",
  "power_cycle",
  "kernel",
  "power",
  "clocks",
  "fan",
  "perf",
  "persistence",
  "compute_mode",
  "package_sources",
  "packages",
  "services",
  "groups",
  "mounts",
  "git",
  "lines",
  "templates",
  "rocm",
  "nvidia",
] as const satisfies readonly (keyof NodeKeys)[];

/** Whether the entry of an inventory called `name` is a cluster. */
export function isCluster(source: Source, name: string): boolean {
  return keysOf(source, name).engine !== undefined;
}

/** Returns the problems of a machine that has keys of a cluster. */
export function findClusterKeys(source: Source, name: string): Problem[] {
  const own = keysOf(source, name);
  const keys = [
    ...CLUSTER_KEYS.filter((key) => own[key] !== undefined),
    ...(Array.isArray(own.modules) ? ["modules"] : []),
  ];
  return keys.map((key) => ({
    ...source.positionOf(["nodes", name, key]),
    message: `nodes.${name}.${key}${key === "modules" ? " as a list" : ""} is for Slurm clusters`,
    hint: "add engine: slurm, or remove it",
  }));
}

/** Merges the defaults, the profile and the entry's own keys into the cluster called `name`. Returns Problems as `mergeNode` does. */
export function mergeCluster(source: Source, folder: string, name: string): Cluster | Problem[] {
  const own = keysOf(source, name);
  const node = mergeNode(source, folder, name);
  const problems = [
    ...(Array.isArray(node) ? node : []),
    ...findMachineKeys(source, name, own),
    ...findTimeProblem(source, name, own),
    ...findContradictions(source, name, own),
    ...findRefusedWords(source, name, own.sbatch ?? []),
  ];
  if (problems.length > 0 || Array.isArray(node)) return problems;
  const { gres, cpus = 1 } = own;
  const gpus = gres === undefined ? 0 : countGpus(gres);
  const profile = gpus > 0 ? assumeVendor(node.profile, gres!) : { ...node.profile, vendor: "none" as const };
  const lease = own.lease === undefined ? LEASE_SECONDS : node.leaseSeconds;
  return {
    name,
    login: { ...node, profile: { ...node.profile, vendor: "none" }, gpus: 0, state: NO_STATE },
    pilot: {
      ...node,
      connection: "slurm",
      profile,
      gpus,
      slots: own.slots ?? (gpus > 0 ? undefined : cpus),
      workdir: own.workdir ?? WORKDIR,
      leaseSeconds: lease,
      state: NO_STATE,
    },
    request: {
      partition: own.partition,
      account: own.account,
      gres,
      cpus,
      memory: parseValue(own.memory, parseSize),
      // Slurm counts in minutes.
      timeSeconds: Math.ceil((parseValue(own.time, parseDuration) ?? DEFAULT_TIME_SECONDS) / 60) * 60,
      sbatch: own.sbatch ?? [],
    },
    pilots: own.pilots ?? 1,
    setup: own.setup ?? [],
    modules: Array.isArray(own.modules) ? own.modules : [],
    positions: Object.fromEntries(
      REFUSABLE_KEYS.filter((key) => own[key] !== undefined).map((key) => [
        key,
        source.positionOf(["nodes", name, key]),
      ]),
    ),
    overflowAfterSeconds:
      own.use === "overflow" ? (parseValue(own.overflow_after, parseDuration) ?? DEFAULT_OVERFLOW_SECONDS) : undefined,
  };
}

function keysOf(source: Source, name: string): NodeKeys {
  return (source.value as InventoryFile).nodes[name] ?? {};
}

function findMachineKeys(source: Source, name: string, own: NodeKeys): Problem[] {
  const keys: string[] = MACHINE_KEYS.filter((key) => own[key] !== undefined);
  if (own.modules !== undefined && !Array.isArray(own.modules)) keys.push("modules");
  return keys.map((key) => ({
    ...source.positionOf(["nodes", name, key]),
    message: `nodes.${name}.${key} is for machines that muster keeps in their state, and ${name} is a Slurm cluster`,
    hint:
      key === "gpus"
        ? `write gres: "gpu:NUMBER"`
        : key === "modules"
          ? "give a list of environment modules"
          : "remove it",
  }));
}

function findTimeProblem(source: Source, name: string, own: NodeKeys): Problem[] {
  const seconds = parseValue(own.time, parseDuration) ?? DEFAULT_TIME_SECONDS;
  if (seconds >= MIN_TIME_SECONDS) return [];
  const message = `nodes.${name}.time must be at least a minute, because Slurm counts in minutes`;
  return [{ ...source.positionOf(["nodes", name, "time"]), message }];
}

/** Returns keys that have no effect beside what others say. */
function findContradictions(source: Source, name: string, own: NodeKeys): Problem[] {
  const problems: Problem[] = [];
  if (own.overflow_after !== undefined && own.use !== "overflow") {
    const message = `nodes.${name}.overflow_after has an effect only with use: overflow`;
    const position = source.positionOf(["nodes", name, "overflow_after"]);
    problems.push({ ...position, message, hint: "add use: overflow, or remove it" });
  }
  if (own.host !== undefined && own.connection === "local") {
    const message = `nodes.${name}.host is for a login node that is reached over SSH, and connection is local`;
    const hint = "remove host to run Slurm's commands here, or remove connection";
    problems.push({ ...source.positionOf(["nodes", name, "host"]), message, hint });
  }
  return problems;
}

/** Returns the number of GPUs of `gpu:1`, `gpu:a100:2` or `gpu`. */
function countGpus(gres: string): number {
  return Number(/:(\d+)$/.exec(gres)?.[1] ?? 1);
}

/** GPUs whose vendor nobody names are NVIDIA's, unless their type is called as AMD's are. */
function assumeVendor(profile: Profile, gres: string): Profile {
  if (profile.vendor !== "none") return profile;
  const type = /^gpu:([^:]*)/.exec(gres)?.[1] ?? "";
  return { ...profile, vendor: /^(mi\d|gfx|rx|radeon|instinct|amd|vega)/i.test(type) ? "amd" : "nvidia" };
}
