import type { Chunk, HaltRules } from "../job/job.js";

/** Runs one chunk at a time: a GPU of a node (`gpu` is its index) or a share of one, or a CPU slot (`cpu` is its index among them). */
export interface Slot {
  readonly node: string;
  readonly slot: number;
  readonly gpu?: number;
  readonly cpu?: number;
  /** How many slots share the GPU; undefined = it is the only one. */
  readonly sharers?: number;
  /** Which GPU it is, on a node with several kinds; undefined = `gpu` says it. */
  readonly card?: SlotCard;
  /** Units a second, from the profile: a first guess; undefined = unknown. */
  readonly rate?: number;
}

/** A GPU of a node with several kinds. */
export interface SlotCard {
  /** The name of its profile. Chunks that need several GPUs get those of one kind. */
  readonly kind: string;
  readonly vendor: "amd" | "nvidia";
  /** Its index among the node's GPUs of this vendor. */
  readonly device: number;
}

/** One execution of a chunk on a slot. `number` counts the attempts of the chunk from 1. */
export interface Attempt {
  readonly id: string;
  readonly number: number;
  readonly chunk: Chunk;
  readonly node: string;
  readonly slot: number;
  /** All of its slots, where it needs several: ascending, `slot` first. */
  readonly slots?: readonly number[];
  /** The indices of its GPUs; undefined = it runs on a CPU slot. */
  readonly gpus?: readonly number[];
  /** Their indices among those of their vendor, where these may differ. */
  readonly devices?: readonly number[];
}

/** An attempt that an agent reports when a coordinator attaches to it. */
export interface RemoteAttempt {
  readonly id: string;
  readonly chunk: string;
  readonly slot: number;
  /** All of its slots, where it needs several. */
  readonly slots?: readonly number[];
  readonly state?: "queued" | "running" | "done";
  /** Where its chunk now ends, if it was split. */
  readonly end?: bigint;
  /** How long it has been running, if it is. */
  readonly seconds?: number;
  /** Whether it ended because the agent that ran it died, and the node has not rebooted since. */
  readonly agentDied?: boolean;
}

/** Why an attempt failed. */
export interface Failure {
  readonly chunk: string;
  readonly node: string;
  readonly slot: number;
  readonly attempt: number;
  readonly exit: number | null;
  readonly signal: number | null;
  readonly reason: string;
  /** What a person needs to know beside the reason, on one line: what was observed, or the line of stderr that says why. */
  readonly detail?: string;
  /** The last lines of stderr. */
  readonly stderr: string;
  /** How long its program ran; absent where that is unknown, or it was never started. */
  readonly seconds?: number;
  /** Its program says that no further attempt can succeed. */
  readonly isFinal?: true;
  /** The node's disk was found full then, with the place and the figures; no work can succeed there for now. */
  readonly fullDisk?: string;
}

/** Why a run stops although work is left. */
export interface HaltReason {
  readonly reason: string;
  /** The key of the job's `halt` that decided; undefined = none did. */
  readonly rule?: keyof HaltRules;
  /** Some of the failures that count, each of a different chunk. */
  readonly failures: readonly Failure[];
}

export type Event = Readonly<
  /**
   * A node is attached, for the first time or again. `agentDied`: its previous agent died, and the node has not rebooted
   * since. `deadline`: when its attempts are stopped and it leaves, in seconds of the scheduler's clock; undefined = never.
   */
  | {
      type: "nodeJoined";
      node: string;
      slots: readonly Slot[];
      limit: number;
      held: readonly RemoteAttempt[];
      agentDied?: boolean;
      deadline?: number;
    }
  /** The connection dropped: the node gets no new chunks, and keeps those that it has. */
  | { type: "nodeDisconnected"; node: string }
  /** The node did not come back in time: its chunks are queued again. */
  | { type: "nodeLost"; node: string }
  /**
   * A node gets no new chunks, and `reason` says why; without it, it gets some again. `evict`: what runs there is to end, too. It may
   * precede the node's joining.
   */
  | { type: "nodeDrained"; node: string; reason: string | undefined; evict: boolean }
  /** Another run holds a slot; without `holder`, it is free again. */
  | { type: "slotHeld"; node: string; slot: number; holder?: string }
  /** A slot cannot be used until its node joins again. */
  | { type: "slotBroken"; node: string; slot: number; reason: string }
  /** The slots of a node whose next chunk waits for host memory; no other slot of the node does. */
  | { type: "memoryPressure"; node: string; slots: readonly number[] }
  /**
   * The GPU of a slot is sick: the slot gets no work until `slotRecovered`. `evict`: what runs there hangs. `lasting`: do
   * not wait for it to recover.
   */
  | { type: "slotSick"; node: string; slot: number; reason: string; evict: boolean; lasting: boolean }
  | { type: "slotRecovered"; node: string; slot: number }
  /** The program of an attempt was started; until then it was queued on its slot. */
  | { type: "started"; attempt: string }
  /** An attempt is being ended for `run`, which has a higher priority; it comes back as `requeued`. */
  | { type: "preempted"; attempt: string; run: string }
  /**
   * An attempt succeeded: its slot is free, and its result is still on the node. `seconds`: how long it ran, without the
   * `loading` of a warm worker (seconds), whose first chunk it was. `end`: where its chunk ends, if it was split.
   */
  | { type: "finished"; attempt: string; seconds: number; loading?: number; end?: bigint }
  /**
   * The answer to the instruction `split`: where the chunk ends now; undefined = the program cannot be split, or is `busy`
   * at the moment.
   */
  | { type: "split"; attempt: string; end: bigint | undefined; busy?: boolean }
  /** A chunk is to be stopped: it ends where it runs, and does not start where it waits. */
  | { type: "stopRequested"; chunk: string }
  /** An attempt at a chunk that is to be stopped has ended: its slot is free, and what it left is still on the node. */
  | { type: "stopped"; attempt: string }
  | { type: "committed"; attempt: string }
  /** Its result was collected, and is kept until the instruction `commit` or `drop`. */
  | { type: "held"; attempt: string }
  /** Its result could not be pulled because the node disconnected; the node still has it. */
  | { type: "collectFailed"; attempt: string }
  | { type: "failed"; attempt: string; failure: Failure }
  /** Its result cannot be published, and neither could that of another attempt. */
  | { type: "refused"; attempt: string; failure: Failure }
  /**
   * An attempt ended for no fault of its chunk (cancelled, withdrawn, node rebooted). It is queued again and uses up no
   * try.
   */
  | { type: "requeued"; attempt: string }
  /** The queue of the job has the tasks [start, end), too. */
  | { type: "unitsAdded"; start: bigint; end: bigint }
  /** A task of the queue is not wanted any more. */
  | { type: "unitCancelled"; unit: bigint }
  /** No more tasks will be added. */
  | { type: "queueClosed" }
  /** From now on chunks may be started. */
  | { type: "dispatchOpened" }
  /** Every node has joined or failed to: a chunk that fits none of them is given up. */
  | { type: "allJoined" }
  /** Whether nodes that are not known yet may join (such as allocations that wait): while they may, a chunk that fits no slot waits for them. */
  | { type: "moreNodesExpected"; expected: boolean }
  /**
   * No node of the run has a deadline later than so many seconds after it has begun, and none is without one. `advice`: what to do for a chunk
   * that needs longer.
   */
  | { type: "lifetimeDeclared"; seconds: number; advice: string }
  | { type: "tick" }
>;

export type Instruction = Readonly<
  | { do: "start"; attempt: Attempt }
  /** Commit the result of an attempt that is held. */
  | { do: "commit"; id: string }
  /** Stop an attempt whose chunk another attempt has or had: its result will not be taken, also where it is held. */
  | { do: "drop"; node: string; id: string }
  /** End attempts so that what they have written by then is the result of their chunk. */
  | { do: "stop"; node: string; ids: readonly string[] }
  /** Commit a chunk that is to be stopped, and no node has, without outputs. */
  | { do: "commit-stopped"; chunk: Chunk; number: number }
  /** Take attempts off their slot unless they run already; each one taken off comes back as `requeued`. */
  | { do: "withdraw"; node: string; ids: readonly string[] }
  /**
   * End attempts that hang on a sick slot, run on a node that is to be empty, or at a task that is cancelled; each comes back as `requeued`,
   * unless it ends well before.
   */
  | { do: "evict"; node: string; ids: readonly string[] }
  /** Ask a running attempt to give up this share (0 to 1) of the units that it has not begun. */
  | { do: "split"; node: string; id: string; share: number }
  /** Give a slot no work for `seconds`, then one chunk as a test. */
  | { do: "quarantine"; node: string; slot: number; reason: string; seconds: number }
  /** The test chunk succeeded: the slot is used normally again. */
  | { do: "release"; node: string; slot: number }
  /** Work is left, none is in flight, and no slot can take any now; a reason for each group of slots. */
  | { do: "stuck"; reasons: readonly string[] }
  /** An attempt was lost because its agent died, or ran as long as nodes last; it uses up a try of its chunk. */
  | { do: "report-loss"; failure: Failure }
  | { do: "give-up"; failure: Failure }
  /** A task of the queue is cancelled: it will have no result. */
  | { do: "cancel"; chunk: Chunk }
  /** A chunk has its result but cannot be computed a second time. */
  | { do: "skip-recheck"; failure: Failure }
  | { do: "wake"; at: number }
  /** No other chunk starts for a while. */
  | { do: "report-wait"; reason: string }
  /** The run stops although work is left. */
  | { do: "halt"; halt: HaltReason }
  /** No work is left and none is in flight. */
  | { do: "end" }
>;
