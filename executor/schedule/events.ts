import type { Chunk } from "../job/job.js";

/** What runs one chunk at a time: a GPU of a node (`gpu` is its index), or a CPU slot. */
export interface Slot {
  node: string;
  slot: number;
  gpu?: number;
  /** Units a second, a first guess; undefined = unknown. */
  rate?: number;
}

/** One execution of a chunk on a slot. `number` counts the tries of the chunk from 1. */
export interface Attempt {
  id: string;
  number: number;
  chunk: Chunk;
  node: string;
  slot: number;
}

/** An attempt that an agent still holds when a coordinator (re)attaches; `start`/`end` are its chunk's units. */
export interface RemoteAttempt {
  id: string;
  chunk: string;
  slot: number;
  state?: "queued" | "running" | "done";
  /** Where its chunk now ends, if it gave a part away. */
  end?: bigint;
  /** It ended because the agent that ran it died, and its node has not rebooted since. */
  agentDied?: boolean;
}

/** Why an attempt failed. */
export interface Failure {
  chunk: string;
  node: string;
  slot: number;
  attempt: number;
  exit: number | null;
  signal: number | null;
  reason: string;
  /** Last lines of stderr. */
  stderr: string;
}

export type Event =
  /** `agentDied`: the agent that was there before has died, and the node has not rebooted since. */
  | { type: "nodeJoined"; node: string; slots: Slot[]; limit: number; held: RemoteAttempt[]; agentDied?: boolean }
  /** Its connection went: no new chunks, but nothing is given to others yet. */
  | { type: "nodeDisconnected"; node: string }
  /** Its work is lost or given up: everything it held is queued again. */
  | { type: "nodeLost"; node: string }
  /** A slot whose GPU another run holds, and again (`holder` absent) when it is free. */
  | { type: "slotHeld"; node: string; slot: number; holder?: string }
  /** A slot that cannot be used any more, as long as its node does not join again. */
  | { type: "slotBroken"; node: string; slot: number; reason: string }
  /** The slots of a node whose next chunk waits for its memory; none of the others does. */
  | { type: "memoryPressure"; node: string; slots: number[] }
  /** A slot whose GPU is sick: no work for it until it is `well`. `evict`: what runs there hangs; `lasting`: nobody should wait. */
  | { type: "slotSick"; node: string; slot: number; reason: string; evict: boolean; lasting: boolean }
  | { type: "slotRecovered"; node: string; slot: number }
  /** The program of an attempt runs; before that, it was queued on its slot. */
  | { type: "started"; attempt: string }
  /** An attempt ended well; its slot is free, its result is still on the node. `end`: where its chunk ends, if it gave a part away. */
  | { type: "finished"; attempt: string; seconds: number; end?: bigint }
  /** The answer to `split`: where its chunk ends now; undefined = its script cannot be divided, or is just too `busy`. */
  | { type: "split"; attempt: string; end: bigint | undefined; busy?: boolean }
  | { type: "committed"; attempt: string }
  /** Its result could not be pulled because its node went silent: the node still has it. */
  | { type: "collectFailed"; attempt: string }
  | { type: "failed"; attempt: string; failure: Failure }
  /** An attempt that went for no fault of its chunk (cancelled, its node rebooted): queued again, no try used up. */
  | { type: "requeued"; attempt: string }
  /** From now on work may be given out. */
  | { type: "dispatchOpened" }
  /** All nodes have answered or have failed to: what fits none of them will not be waited for. */
  | { type: "allJoined" }
  | { type: "tick" };

export type Instruction =
  | { do: "start"; attempt: Attempt }
  /** An attempt of a chunk that somebody else has or had: its result will not be taken. */
  | { do: "drop"; node: string; id: string }
  /** Attempts that should leave their slot unless they run already; each that does comes back as `lost`. */
  | { do: "withdraw"; node: string; ids: string[] }
  /** Attempts that run where nothing gets on: each is ended, and comes back as `lost`. */
  | { do: "evict"; node: string; ids: string[] }
  /** An attempt that should give this share of what it has not begun to others. */
  | { do: "split"; node: string; id: string; share: number }
  /** A slot that gets no work for so many seconds, and then one chunk, to see whether it is well. */
  | { do: "quarantine"; node: string; slot: number; reason: string; seconds: number }
  /** It was well. */
  | { do: "release"; node: string; slot: number }
  /** Work is left, none is under way, and no slot can have any now: why, slot by slot. */
  | { do: "stuck"; reasons: string[] }
  /** An attempt that is lost because its agent died; it counts as a try of its chunk. */
  | { do: "report-loss"; failure: Failure }
  | { do: "give-up"; failure: Failure }
  /** A chunk that has its result could not be computed again. */
  | { do: "skip-recheck"; failure: Failure }
  | { do: "wake"; at: number }
  /** Nothing is left to do and nothing is under way. */
  | { do: "end" };
