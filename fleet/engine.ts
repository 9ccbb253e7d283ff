import type { Connection } from "./connection.js";
import type { DialOptions } from "./dialoptions.js";
import type { Node } from "./node.js";

/** What an engine is asked for: one allocation, whose program is the agent of a run. */
export interface PilotRequest {
  /** The name of the allocation at the engine: it tells which run it belongs to, also where the reply to `submit` is lost. */
  jobName: string;
  /** The id of the run. */
  run: string;
  /** Nodes that must not be in it, in the engine's words. */
  exclude?: readonly string[];
}

/** Why an allocation is over, and where it ran; undefined = the engine does not know, or not any more. */
export interface AllocationEnd {
  reason: string | undefined;
  host: string | undefined;
}

/** What an engine says of an allocation. `ending`: it is over, or about to be; no work there will complete. */
export interface AllocationState {
  jobName: string;
  state: "pending" | "running" | "ending";
  /** Why it waits, in the engine's words; undefined = it does not say. */
  reason?: string;
  /** How long it may still run; undefined = it does not run, or there is no limit. */
  secondsLeft?: number;
}

/**
 * A source of nodes that come and go: a batch system, which gives allocations (pilots). Machines of the inventory need none of this: they
 * are always there, and `Dialer` opens them. All methods reject with a MusterError: UNREACHABLE, TIMEOUT and LOST where the
 * engine cannot be asked now, SLURM where it refuses.
 */
export interface Engine {
  /** Asks for an allocation. Returns its id. After LOST and TIMEOUT it may exist all the same: `list` tells, by its name. */
  submit(request: PilotRequest): Promise<string>;
  /** Returns the user's allocations, by id. Those that are not in it are over. */
  list(): Promise<ReadonlyMap<string, AllocationState>>;
  /** Ends allocations, also pending ones. Ids that do not exist any more are no error. */
  cancel(ids: readonly string[]): Promise<void>;
  /** Explains an allocation that is over, or where a running one runs. Never rejects. */
  explain(id: string): Promise<AllocationEnd>;
  /** Connects to the node of a running allocation. */
  open(node: Node, options: DialOptions): Promise<Connection>;
}
