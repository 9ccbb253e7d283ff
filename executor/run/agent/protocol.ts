/**
 * What coordinator and agent say to each other: one JSON object a line, over the agent's stdin and stdout.
 * templates/agent.py is the other side. Times are seconds, sizes bytes.
 */

/**
 * A slot of the node as the agent sees it; `env` binds the GPU, `lock` names it for the kernel lock (none for CPU slots), `gpu` is
 * its index among the cards.
 */
export interface SlotSetup {
  slot: number;
  env: Record<string, string>;
  gpu?: number;
  lock?: string;
}

/** What many attempts have in common. `files`: path in the working directory -> SHA-256 and mode of the staged copy. */
export interface AttemptSpec {
  /** Leading words of the command line; "{python}" has been replaced. A staged script stands here as its relative path. */
  argv: string[];
  env: Record<string, string>;
  files: [path: string, sha256: string, mode: number][];
  outputs: string[];
  timeout?: number;
  /** Bytes of one output at most. */
  limit: number;
  /** Bytes of host memory that a chunk needs; undefined = as much as its like was seen to use. */
  memory?: number;
}

/** The version of these messages. `hello` and `stop` are the same in all of them, so that an agent of another version can be stopped. */
export const PROTOCOL_VERSION = 2;

export type AgentCommand =
  /**
   * First line, and answered by `hello` or `refused`. `nonce`: of this coordinator; `nonces`: of all that its journal knows: the
   * agent accepts it only if the coordinator that it belongs to is one of them. `inline`: files up to this size ride on the channel; `log`: bytes kept of each of stdout and stderr. `cards`:
   * whose GPUs the slots have, and their PCI addresses by index, where they are known. `examine`: seconds that GPUs wait for
   * `examined` at most.
   */
  | {
      op: "open";
      run: string;
      nonce: string;
      nonces: readonly string[];
      lease: number;
      max?: number;
      priority: number;
      env: Record<string, string>;
      slots: SlotSetup[];
      cards?: { vendor: "amd" | "nvidia"; pci: string[] };
      examine?: number;
      inline: number;
      log: number;
    }
  | { op: "spec"; id: string; spec: AttemptSpec }
  /** A small staged file, in base64: it comes along with the first chunk that needs it instead of by SFTP. */
  | { op: "put"; sha256: string; data: string }
  | { op: "start"; id: string; chunk: string; slot: number; spec: string | AttemptSpec; args: string[] }
  /** Results that are safe here: the agent deletes them. */
  | { op: "ack"; ids: string[] }
  /** Queued: dropped. Running: TERM, then KILL. A `done` with canceled: true follows for each that was known. */
  | { op: "cancel"; ids: string[] }
  /** Are you there? Answered by `pong`; and the agent's lease begins anew, as with every line. */
  | { op: "ping" }
  /** Queued: dropped, and a `done` with canceled: true follows. Running: it stays. */
  | { op: "withdraw"; ids: string[] }
  /** Runs these shell scripts side by side, each killed after so many seconds; answered by `looked`. None while one is under way. */
  | { op: "look"; scripts: string[]; seconds: number }
  /** The GPUs have been looked at for the first time, and what was found has been said: the others may begin. */
  | { op: "examined" }
  /** A running attempt should leave this share of the units that it has not begun to others; answered by `split`. */
  | { op: "split"; id: string; share: number }
  /** Everything killed, the run's folder on the node deleted, the agent gone; answered by `bye`. Obeyed as a first line, too. */
  | { op: "stop" };

export interface OutputReport {
  path: string;
  size: number;
  sha256: string;
  /** base64, for small files. */
  data?: string;
}

/** A log: its size on the node, and its content in base64 where it is small. `cut`: bytes that were dropped, for it grew too long. */
export interface LogReport {
  size: number;
  cut?: number;
  data?: string;
}

export interface DoneMessage {
  ev: "done";
  id: string;
  chunk: string;
  slot: number;
  exit: number | null;
  signal: number | null;
  timeout: boolean;
  canceled: boolean;
  /** Its agent died while it ran. */
  lost?: boolean;
  /** With `lost`: the node has not rebooted since it began. */
  agentDied?: boolean;
  seconds: number;
  /** Where its range ended, if it gave a part away. */
  end?: string;
  /** Peak resident bytes of the largest process. */
  rss: number;
  outputs: OutputReport[];
  /** Declared outputs that are not there, or are not regular files of the attempt's own folder. */
  missing: string[];
  stdout: LogReport;
  stderr: LogReport;
  /** Last lines of stderr, at most 2 KiB, as every text for people. */
  tail: string;
  /** Why it could not be run at all (no space, no such program, ...). */
  error?: string;
}

export interface ScriptResult {
  exit: number | null;
  stdout: string;
  stderr: string;
  error?: string;
}

/** An attempt that an agent has and nobody has acknowledged. `end`: where its range ends now, if it gave a part away. */
export interface HeldAttempt {
  id: string;
  chunk: string;
  slot: number;
  state: "queued" | "running" | "done";
  end?: string | null;
  agentDied?: boolean;
}

export type AgentMessage =
  /**
   * First line. `muster`: the protocol's version. `root`: absolute folder of the run on the node. `held`: the first of the attempts
   * that are not yet acknowledged, finished or not; with `more`, messages `held` with the others follow.
   */
  | {
      ev: "hello";
      muster: number;
      boot: string;
      pid: number;
      started: number;
      root: string;
      held: HeldAttempt[];
      more?: boolean;
    }
  | { ev: "held"; attempts: HeldAttempt[]; more: boolean }
  /** The agent belongs to the coordinator with the nonce `owner`, which is not one of those in `open`; nothing has changed. */
  | { ev: "refused"; owner: string }
  | DoneMessage
  /** Its program runs. Of one that has ended by the time that this would be told only the end is. */
  | { ev: "started"; id: string }
  /** Where an attempt's range ends now; without `end` its program takes no part in this, or is `busy` with its file. */
  | { ev: "split"; id: string; end?: string; busy?: boolean }
  /**
   * A slot whose GPU another run holds, and again (`holder` absent) when it is free. `holder` is the run's name or, where it is
   * `foreign` (not a run of the same user), what is known of the process: its uid and pid.
   */
  | { ev: "slot"; slot: number; holder?: string; foreign?: boolean }
  /** A slot that cannot be used any more, e.g. a process that does not die. */
  | { ev: "broken"; slot: number; reason: string }
  /** All slots whose card the agent keeps from chunks, and why: it is lost, or memory of it is not back. `lasting`: for long. */
  | { ev: "cards"; sick: { slot: number; reason: string; lasting: boolean }[] }
  /** The slots that have work which the node's memory cannot hold now. */
  | { ev: "memory"; waiting: number[] }
  /** What the scripts of a `look` printed; `error`: why one has no exit code. */
  | { ev: "looked"; answers: ScriptResult[] }
  /** `left`: what of the run is still on the node, and why; absent where nothing is. */
  | { ev: "bye"; left?: string }
  | { ev: "pong" }
  | { ev: "problem"; message: string };

/** A unit of a range as the protocol writes it. */
export function decodeUnit(text: string | null | undefined): bigint | undefined {
  return text == null ? undefined : BigInt(text);
}

/** An attempt of a hello, as the scheduler takes it. */
export function decodeHeldAttempt({ end, ...held }: HeldAttempt) {
  return { ...held, end: decodeUnit(end) };
}

/** The answer to a `split`, as the scheduler takes it. */
export function decodeSplit({ id, end, busy = false }: Extract<AgentMessage, { ev: "split" }>) {
  return { attempt: id, end: decodeUnit(end), busy };
}
