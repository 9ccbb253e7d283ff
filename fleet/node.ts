/** A kind of GPU, as the inventory's `profiles` describe it. */
export interface Profile {
  name: string;
  vendor: "amd" | "nvidia" | "none";
  model?: string;
  /** Bytes. */
  vram?: number;
  /** Units a second of one GPU: a first guess. */
  rate?: number;
  env: Record<string, string>;
  /** Kernel module parameters, `module.parameter` -> value. */
  kernel: Record<string, string>;
  limits: Record<string, { best?: number; max?: number }>;
}

/** A machine, with defaults, profile and its own keys already merged; nothing here has been checked on the machine. */
export interface Node {
  name: string;
  connection: "ssh" | "local";
  /** An address, a name, or an alias of ~/.ssh/config. */
  host: string;
  port?: number;
  user?: string;
  identityFile?: string;
  knownHosts?: string;
  /** Undefined: as StrictHostKeyChecking of ~/.ssh/config says, strict where it is silent. */
  hostKeys?: "strict" | "accept-new";
  profile: Profile;
  /** How many GPUs it has; undefined = as many as are found. */
  gpus?: number;
  /** PCI addresses that its GPUs must have; undefined = any. */
  pci?: string[];
  /** CPU slots; undefined = none beside GPUs, or one a core where there is no GPU. */
  slots?: number;
  maxConcurrent?: number;
  tags: string[];
  /** May begin with `~/`. */
  workdir: string;
  /** The interpreter's name or path on the node. */
  python: string;
  /** Modules that must be there for that interpreter. */
  pythonModules?: string[];
  /** Environment of every chunk there: the profile's, then the node's own. */
  env: Record<string, string>;
  /** Seconds without an answer after which it counts as silent. */
  silenceSeconds: number;
  /** Seconds of silence before its chunks are requeued. */
  graceSeconds: number;
  /** Seconds that an agent lives without a coordinator. */
  leaseSeconds: number;
  /** Seconds between two looks at its GPUs while a run uses them; 0 = none. */
  gpuCheckSeconds: number;
}

/** Where a node's files are, as its inventory has it: two nodes with the same address share a workdir. */
export function formatAddress({ connection, user, host, port, workdir }: Node): string {
  return connection === "local" ? `local:${workdir}` : `${user ?? ""}@${host}:${port ?? ""}:${workdir}`;
}
