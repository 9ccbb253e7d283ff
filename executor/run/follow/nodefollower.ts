import type { Connection } from "../../../fleet/connection.js";
import { readNodeMessages } from "../../../fleet/nodemessages.js";
import { followProgram, type NodeProgram } from "../../../templates/nodeprograms.js";
import type { LogStream } from "../record/logfiles.js";
import { type FollowMessage, parseFollowMessage } from "./followmessages.js";

/** A piece of a log has at most 48 KiB, in base64; the result of a short attempt may hold 64 KiB. */
const MAX_LINE_BYTES = 256 << 10;

/** What a node is asked for, as templates/muster_agent/following/follow.py takes it. */
export interface NodeLogSelection {
  streams: readonly LogStream[];
  /** Only this chunk; with `isPrefix`, those whose id begins so. */
  chunk?: string;
  isPrefix?: boolean;
  /** With how many lines to begin, of attempts that run already; undefined = with the first one. */
  tail?: number;
  /** By attempt, where to continue. */
  resume: Record<string, Partial<Record<LogStream, number>>>;
}

/**
 * Follows the logs of attempts in the run's folder `root` over a connection, which it does not close. The agent does not learn of it.
 * `handle` is called with one message after another; while it is pending, the node waits. Resolves, when no more messages come, with why.
 */
export function followNode(
  connection: Connection,
  agent: NodeProgram,
  root: string,
  selection: NodeLogSelection,
  handle: (message: FollowMessage) => Promise<void>,
): Promise<string> {
  const { args, stdin } = followProgram(agent);
  const program = { args: [...args, root, JSON.stringify(selection)], stdin };
  return readNodeMessages(connection, program, {
    about: "logs",
    maxLineBytes: MAX_LINE_BYTES,
    parse: parseFollowMessage,
    handle,
  });
}
