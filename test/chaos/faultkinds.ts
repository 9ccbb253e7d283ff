/** When a fault is injected: once this share of all items is committed, and then so much later. */
export interface FaultMoment {
  share: number;
  delayMs: number;
}

/** How a coordinator is ended before its run directory is touched. */
export type Ending = "SIGKILL" | "SIGINT";

/** What happens after a run directory was copied: which of the two continues first; `alternate`: the copy for a while, then the original. */
export type CopyOrder = "original-first" | "copy-first" | "side-by-side" | "alternate";

/** A fault of the coordinator's process. */
export type ProcessFault =
  | { kind: "kill" | "interrupt" | "interrupt-twice" | "terminate" }
  | { kind: "pause"; forMs: number }
  /** `at`: what MUSTER_KILL_AT takes, STEP[:N]. */
  | { kind: "failpoint"; at: string }
  | { kind: "second-coordinator" | "cancel" | "inspect" }
  /** Nobody works on the run for longer than the agents' lease. */
  | { kind: "absence"; forMs: number };

/** A fault of one node, by its index. */
export type NodeFault = { node: number } & (
  | { kind: "restart-sshd" | "drop-connections" | "kill-agent" | "kill-processes" | "delete-workdir" }
  | { kind: "cut-off" | "power-cycle" | "pause-agent" | "disk-full-node"; forMs: number }
);

/** A fault of the run directory. */
export type DirectoryFault =
  | { kind: "copy"; end: Ending; order: CopyOrder }
  | { kind: "backup" }
  | { kind: "restore" | "move"; end: Ending }
  | { kind: "disk-full-here"; forMs: number };

export type Fault = FaultMoment & (ProcessFault | NodeFault | DirectoryFault);

/** What a chunk of the job does wrong, drawn beside the faults. */
export const CHUNK_FAULTS = [
  "chunk-kills-agent-once",
  "chunk-kills-agent-always",
  "chunk-fails-once",
  "chunk-fails-always",
] as const;

export type ChunkFaultKind = (typeof CHUNK_FAULTS)[number];

/** Every kind that a plan may hold, and that `--only` and `--except` name. A backup comes with its restore. */
export const KINDS = [
  "kill",
  "interrupt",
  "interrupt-twice",
  "terminate",
  "pause",
  "failpoint",
  "second-coordinator",
  "cancel",
  "inspect",
  "absence",
  "restart-sshd",
  "drop-connections",
  "kill-agent",
  "kill-processes",
  "delete-workdir",
  "cut-off",
  "power-cycle",
  "pause-agent",
  "disk-full-node",
  "copy",
  "restore",
  "move",
  "disk-full-here",
  ...CHUNK_FAULTS,
] as const;

export type FaultKind = (typeof KINDS)[number];

/** After these a silent node must be noticed soon. */
export const SILENCING: readonly FaultKind[] = ["cut-off", "power-cycle", "pause-agent"];

/** These may cost a chunk an attempt for each time that they happen. */
export const COSTLY: readonly FaultKind[] = [
  "kill-agent",
  "kill-processes",
  "power-cycle",
  "delete-workdir",
  "disk-full-node",
  "chunk-kills-agent-once",
  "chunk-fails-once",
];

/** A fault in a few words, for the line of its run. */
export function faultText(fault: Fault): string {
  const { kind, share, delayMs, ...rest } = fault;
  const details = Object.entries(rest).map(([key, value]) =>
    key === "node" ? `node${Number(value) + 1}` : `${value}`,
  );
  return [kind, ...details].join(" ");
}
