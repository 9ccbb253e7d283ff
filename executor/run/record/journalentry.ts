import type { HealStepName } from "../../../fleet/healing/healcontext.js";
import type { JobOrigin } from "../../job/job.js";
import type { LaunchFolders } from "../../job/project/project.js";
import type { ResultOrigin } from "../../schedule/attempts/recheckselection.js";
import type { Failure } from "../../schedule/events.js";
import type { Leftover } from "./leftovers.js";
import type { PublishedFile } from "./ownfile.js";

/**
 * How a run is connected to a node. `silent`: the connection is lost, the node keeps its chunks. `away`: its chunks went to other
 * nodes. `refused`: it gets no work, and is not tried again. `ended`: it was an allocation, which is over.
 */
export type NodeConnectionState = "connecting" | "live" | "silent" | "away" | "refused" | "ended";

/** Two results of one chunk that differ: what differs, and where each result was computed. */
export interface RecheckDifference {
  chunk: string;
  first: ResultOrigin;
  second: ResultOrigin;
  what: string;
}

/**
 * Why an attempt that ran has neither a result nor a failure. `superseded`: another attempt has the chunk. `rechecked`: its result was only
 * compared. `requeued`: it was evicted, or its node was lost. `preempted`: it was ended for a run of
 * higher priority. `cancelled`: its task was cancelled. `session ended`: it may still run, and a later record has its end.
 */
export type StopReason = "superseded" | "rechecked" | "requeued" | "preempted" | "cancelled" | "session ended";

/** A record in the journal of a run. Records stand in the order in which they became true. */
export type JournalEntry =
  /**
   * The first record: the job of this run directory. In `identity`, values of `env` are hashes salted with `salt`; older journals
   * have no salt and hold the values themselves. `inputs` maps staged paths to SHA-256. `project`: the
   * id of the project's snapshot, and where programs start in it. `units` counts the job's units, in decimal.
   * `results`: the folder that results are published in, if that is not the run directory's; `overwrite`: files there may be replaced.
   * `origin`: how the job was loaded; older journals lack it.
   */
  | {
      e: "run";
      id: string;
      name: string;
      salt?: string;
      identity: string;
      inputs: Record<string, string>;
      project?: { id: string; folders: LaunchFolders };
      units?: string;
      results?: string;
      overwrite?: boolean;
      origin?: JobOrigin;
    }
  /** A coordinator starts. Its `nonce` is part of every attempt id that it issues; older journals have none. */
  | { e: "open"; session: number; nonce?: string; pid: number; host: string; at: string }
  /** The run has the id `id` from now on. Agents with an earlier id belong to another copy of this directory. */
  | { e: "adopt"; id: string }
  /** The nodes that may get work in this session, their addresses, and the value of `-i` that finds them. */
  | { e: "nodes"; nodes: string[]; inventory: string; addresses?: string[] }
  /**
   * A pilot of a cluster: it is about to be submitted, has been (`id`: of its job), was first seen running, or is over. `token` is in the
   * name of its job.
   */
  | {
      e: "pilot";
      at: string;
      cluster: string;
      inventory: string;
      token: string;
      id?: string;
      state: "submitting" | "submitted" | "running" | "over";
      reason?: string;
    }
  /**
   * A chunk is committed: units [start, end), in decimal. `length`: bytes of results.ndjson that are valid from now on. `at`: seconds
   * since the session began; only the first record of a group commit has it. `ended`: when its program ended, in the same seconds; older
   * journals lack it. `stopped`: it was stopped on request; its outputs are those that it had by then.
   */
  | {
      e: "done";
      chunk: string;
      start: string;
      end: string;
      length: number;
      at?: number;
      ended?: number;
      stopped?: true;
    }
  /** A chunk is to be stopped: it is not computed any more, whether or not a node has it. */
  | { e: "stopping"; chunk: string }
  /**
   * These files are about to be published in the folder of results. Until the chunk is committed, a file there is the run's own only if it
   * is this one. Without `chunk`: a file that is made of all results.
   */
  | { e: "publishing"; chunk?: string; files: PublishedFile[] }
  /** All chunks are committed, and edited inputs are about to replace their sources: inputs need not be as they were any more. */
  | { e: "replacing" }
  | { e: "failed"; failure: Failure }
  /** A task of a queue, the unit [start, end) in decimal, was cancelled before it had a result. */
  | { e: "cancelled"; chunk: string; start: string; end: string }
  /** A chunk was rechecked, or its recheck was skipped permanently. `differing` is set if the two results differ. */
  | { e: "canary"; chunk: string; differing?: RecheckDifference }
  /**
   * A node's state changed. This record and those up to `notice` only serve reports. `at`: seconds since the session began. `price`: what a
   * kilowatt-hour costs there, where it is live and the inventory says so.
   */
  | {
      e: "node";
      at: number;
      node: string;
      state: NodeConnectionState;
      slots?: number[];
      reason?: string;
      price?: number;
    }
  /** A slot is disabled, and `out` says why; without `out` it is enabled again. */
  | { e: "slot"; at: number; node: string; slot: number; out?: string }
  /** A step of the healing of a node. `text`: the rest of a sentence that begins with the node. */
  | { e: "heal"; at: number; node: string; step: HealStepName; text: string }
  /** The file of a program in the job's directory has this SHA-256 on the node. Recorded when it is first seen there, and when it differs. */
  | { e: "program"; at: number; node: string; path: string; sha256: string }
  /** An attempt failed. `seconds`: how long it ran; absent where it did not run, and in older journals. */
  | {
      e: "tried";
      at: number;
      chunk: string;
      node: string;
      slot: number;
      attempt: number;
      reason: string;
      seconds?: number;
    }
  /** An attempt that ran for `seconds` has ended without a result and without a failure, or its session ended. `by`: the run that preempted it. */
  | {
      e: "stopped";
      at: number;
      chunk: string;
      node: string;
      slot: number;
      attempt: number;
      seconds: number;
      why: StopReason;
      by?: string;
    }
  /** A GPU has computed nothing for `seconds`, while an attempt on it goes on. */
  | { e: "idle"; at: number; chunk: string; node: string; slot: number; attempt: number; pci: string; seconds: number }
  /** What the user of the run was told about it, or about `node`. */
  | { e: "notice"; at: number; node?: string; text: string }
  /**
   * An attempt was cancelled or evicted, and its output lies in logs/; or an attempt has no logs, and `lostLog` says why. `at` as above;
   * undefined where no coordinator ran.
   */
  | { e: "log"; at?: number; chunk: string; attempt: number; lostLog?: string }
  /**
   * The coordinator ends, and everything before this record is on disk. `leftovers`: the nodes that may still hold something of the
   * run. If a node is cleaned later, another close record with the same `at` follows.
   */
  | {
      e: "close";
      state: "complete" | "partial" | "halted" | "interrupted" | "cancelled";
      at?: string;
      leftovers?: Leftover[];
    };

export type CloseEntry = Extract<JournalEntry, { e: "close" }>;
