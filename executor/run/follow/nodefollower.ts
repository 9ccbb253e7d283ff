import type { Channel, Connection } from "../../../fleet/connection.js";
import { followProgram, type NodeProgram } from "../../../templates/nodeprograms.js";
import type { LogStream } from "../record/logfiles.js";
import { type FollowMessage, parseFollowMessage } from "./followmessages.js";

/** A piece of a log has at most 48 KiB, in base64; the result of a short attempt may hold 64 KiB. */
const MAX_LINE_BYTES = 256 << 10;
/** Of what comes before the first message: a shell's start-up file may print. */
const MAX_PREAMBLE_BYTES = 1 << 20;
const MAX_STDERR_CHARS = 2000;

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
export async function followNode(
  connection: Connection,
  agent: NodeProgram,
  root: string,
  selection: NodeLogSelection,
  handle: (message: FollowMessage) => Promise<void>,
): Promise<string> {
  const { args, stdin } = followProgram(agent);
  const channel = await connection.open([connection.node.python, ...args, root, JSON.stringify(selection)]);
  channel.stdin.on("error", () => {});
  channel.stdin.write(stdin);
  let stderr = "";
  channel.stderr.on("data", (bytes: Buffer) => {
    stderr = (stderr + bytes.toString()).slice(-MAX_STDERR_CHARS);
  });
  try {
    for await (const message of readMessages(channel)) await handle(message);
  } catch (error) {
    if (!(error instanceof FollowProtocolError)) throw error;
    return error.message;
  } finally {
    channel.stdin.end();
    channel.destroy();
  }
  const ending = await channel.ended;
  const last = stderr.trim().split("\n").at(-1) ?? "";
  if (last !== "") return last.replace(/^muster-refused \{"reason": "(.*)", "next": .*$/, "$1");
  return ending.kind === "lost" ? ending.reason : "the program that follows the logs ended";
}

/** A node sent something else than messages. */
class FollowProtocolError extends Error {}

async function* readMessages({ stdout }: Channel): AsyncGenerator<FollowMessage> {
  let rest: Buffer = Buffer.alloc(0);
  let preambleBytes = 0;
  let hasBegun = false;
  try {
    for await (const bytes of stdout as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        const message = parseFollowMessage(rest.toString("utf8", 0, end));
        rest = rest.subarray(end + 1);
        if (message !== undefined) {
          hasBegun = true;
          yield message;
        } else if (hasBegun) throw new FollowProtocolError("it sent what is not a message about logs");
        else preambleBytes += end + 1;
      }
      if (rest.length > MAX_LINE_BYTES || preambleBytes > MAX_PREAMBLE_BYTES)
        throw new FollowProtocolError("it sent too long a line, or too much before its first message");
    }
  } catch (error) {
    // A connection that breaks is no error here: `ended` says why no more comes.
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
}
