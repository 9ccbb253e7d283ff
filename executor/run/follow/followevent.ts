import type { LogStream } from "../record/logfiles.js";
import type { AttemptEnd } from "./followmessages.js";

/** Where an attempt runs. */
export interface FollowedAttempt {
  chunk: string;
  node: string;
  slot: number;
}

/** What happens while logs are followed. */
export type FollowEvent =
  /** What the attempt prints follows. */
  | ({ type: "started" } & FollowedAttempt)
  | { type: "output"; chunk: string; stream: LogStream; bytes: Buffer }
  /** The size limit of logs dropped this many bytes before they were read; null = their number is not known. */
  | { type: "dropped"; chunk: string; stream: LogStream; bytes: number | null }
  | ({ type: "ended"; outcome: AttemptEnd | undefined } & FollowedAttempt)
  /** Another attempt at a chunk whose output is shown: what it prints is not. */
  | ({ type: "copy" } & FollowedAttempt)
  /** What follows is the output that was collected. `isRest`: only what was not shown. */
  | { type: "collected"; chunk: string; isRest: boolean }
  /** An attempt failed that was not followed. */
  | ({ type: "failed"; attempt: number; reason: string } & FollowedAttempt)
  /** A node cannot be followed. `isRetried`: it is tried again. */
  | { type: "nodeLost"; node: string; reason: string; isRetried: boolean };

/** Receives the events, one after another: nothing more is read while it is pending. */
export type FollowSink = (event: FollowEvent) => Promise<void>;
