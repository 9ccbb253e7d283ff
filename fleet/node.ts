import type { Drain } from "./drains.js";
import type { GpuSettings } from "./gpus/gpusettings.js";
import type { NodeState } from "./nodestate.js";

/** The name of the profile of a node that has none. */
export const NO_PROFILE = "none";

/** A kind of GPU, as `profiles` of the inventory describes it. */
export interface Profile {
  name: string;
  vendor: "amd" | "nvidia" | "none";
  model?: string;
  /** Bytes. */
  vram?: number;
  /** The share of `vram` (0 to 1) that one program may use. */
  memoryFraction?: number;
  /** How many chunks of one run share a GPU; undefined = each has its own. */
  perGpu?: number;
  /** Units per second of one GPU: the initial estimate. */
  rate?: number;
  env: Record<string, string>;
  /** Kernel module parameters, `module.parameter` -> value. */
  kernel: Record<string, string>;
  limits: Record<string, { best?: number; max?: number }>;
  settings: GpuSettings;
}

/** GPUs of one kind in a node. */
export interface GpuGroup {
  profile: Profile;
  /** undefined: as many as are found. */
  count?: number;
  /** The PCI addresses that they must have; undefined: any. */
  pci?: string[];
  /** The environment of chunks on them: the profile's, overridden by the node's own. */
  env: Record<string, string>;
}

/** An allocation of a cluster, which acts as a node while it lasts. */
export interface Allocation {
  /** The name of the cluster. */
  cluster: string;
  /** The cluster's id of the allocation. */
  id: string;
  /** What its GPUs are called within it, in the order of the slots: values for the variable that selects GPUs; undefined = not known. */
  devices?: readonly string[];
}

/** A machine as the inventory describes it, with defaults and profile merged in. Nothing here has been checked on the machine. */
export interface Node {
  name: string;
  /** Why it gets no new chunks, as of when the inventory was read; undefined = it gets some. */
  drain?: Drain;
  /** `slurm`: it is the compute node of `allocation`. */
  connection: "ssh" | "local" | "slurm";
  /** The allocation of a Slurm cluster that it is; undefined: it is a machine. */
  allocation?: Allocation;
  /** An IP address, a DNS name, or an alias of ~/.ssh/config. */
  host: string;
  port?: number;
  user?: string;
  /** The machine to connect through, unless ~/.ssh/config says how `host` is reached. */
  via?: Node;
  identityFile?: string;
  knownHosts?: string;
  /** undefined: StrictHostKeyChecking of ~/.ssh/config decides; without it, strict. */
  hostKeys?: "strict" | "accept-new";
  /** Of all its GPUs. Where they are of several kinds, it has no vendor, and the kernel parameters of all of them. */
  profile: Profile;
  /** Its kinds of GPU, in the order of its slots; undefined: all of them are of `profile`. */
  gpuGroups?: GpuGroup[];
  /** The number of its GPUs; undefined: as many as are found. */
  gpus?: number;
  /** The PCI addresses that its GPUs must have; undefined: any, or `gpuGroups` says. */
  pci?: string[];
  /** The number of CPU slots; undefined: none if the node has GPUs, else one per core. */
  slots?: number;
  maxConcurrent?: number;
  tags: string[];
  /** The command here that turns the machine off and on again; undefined: there is none. */
  powerCycle?: string[];
  /** May begin with `~/`. */
  workdir: string;
  /** The interpreter's name or path on the node. */
  python: string;
  /** Modules that the interpreter must be able to import. */
  pythonModules?: string[];
  /** The environment of every chunk on this node: the profile's, overridden by the node's own. `gpuGroups` has more. */
  env: Record<string, string>;
  /** Seconds without an answer after which the node counts as silent. */
  silenceSeconds: number;
  /** Seconds of silence before its chunks are requeued. */
  graceSeconds: number;
  /** Seconds that an agent lives without a coordinator. */
  leaseSeconds: number;
  /** Bytes that its cache of staged files may hold; undefined: the agent's default, which refuses no job. */
  cacheBytes?: number;
  /** Seconds between two GPU health checks during a run; 0: no checks. */
  gpuCheckSeconds: number;
  /** Seconds between two samples of the GPUs that chunks use; 0: none are taken. */
  gpuSampleSeconds: number;
  /** What a kilowatt-hour costs. */
  pricePerKwh?: number;
  /** Packages, services, files and so on. */
  state: NodeState;
}

/** Returns a text that identifies the node's workdir: two nodes with the same text share one. */
export function formatAddress({ connection, allocation, user, host, port, workdir }: Node): string {
  if (allocation !== undefined) return `slurm:${allocation.cluster}/${allocation.id}`;
  return connection === "local" ? `local:${workdir}` : `${user ?? ""}@${host}:${port ?? ""}:${workdir}`;
}
