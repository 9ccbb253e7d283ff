import type { Failure } from "../schedule/events.js";
import type { Member } from "./node/member.js";
import type { Differing } from "./record/past.js";
import type { LeftOut } from "./record/summary.js";
import type { Tally } from "./record/tally.js";

/** What there is to see of a run, at any time. */
export interface View {
  readonly members: Member[];
  readonly tally: Tally;
}

/** Whoever watches a run; called as things happen, and never to decide anything. */
export interface Observer {
  /** The run begins in the run directory `path`; `leftOut` get no work of it. */
  begin(view: View, path: string, leftOut: LeftOut[]): void;
  /** A node's state has changed. */
  node(member: Member): void;
  /** A slot's GPU is held by `holder` ("run sieve"), or (absent) free again. */
  slot(member: Member, slot: number, holder: string | undefined): void;
  /** How many of a node's slots wait for its memory has changed. */
  memory(member: Member): void;
  /** Something that a person should know of. */
  problem(member: Member, message: string): void;
  /** Something of the run itself that a person may like to know. */
  note(message: string): void;
  /** An attempt failed; its chunk may be tried again. */
  failedAttempt(failure: Failure): void;
  /** Two results of a chunk differ. */
  differs(differing: Differing): void;
  /** A chunk will not be tried again. */
  gaveUp(failure: Failure): void;
  /** Something was committed. */
  progress(): void;
}
