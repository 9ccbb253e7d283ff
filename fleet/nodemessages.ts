import type { NodeProgram } from "../templates/nodeprograms.js";
import type { Channel, Connection } from "./connection.js";

/** Of what comes before the first message: a shell's start-up file may print. */
const MAX_PREAMBLE_BYTES = 1 << 20;
const MAX_STDERR_CHARS = 2000;

/** What is read from a program that prints messages, one a line. */
export interface MessageReader<Message> {
  /** What the messages are about, for errors. */
  about: string;
  maxLineBytes: number;
  /** Returns undefined for a line that is no message: a node may send anything. */
  parse(line: string): Message | undefined;
  /** Called with one message after another; while it is pending, the node waits. */
  handle(message: Message): Promise<void>;
}

/**
 * Runs a program of the node that prints messages until its stdin ends, over a connection that stays open. Resolves, when no more
 * messages come, with why.
 */
export async function readNodeMessages<Message>(
  connection: Connection,
  { args, stdin }: NodeProgram,
  reader: MessageReader<Message>,
): Promise<string> {
  const channel = await connection.open([connection.node.python, ...args]);
  channel.stdin.on("error", () => {});
  channel.stdin.write(stdin);
  let stderr = "";
  channel.stderr.on("data", (bytes: Buffer) => {
    stderr = (stderr + bytes.toString()).slice(-MAX_STDERR_CHARS);
  });
  try {
    for await (const message of parseMessages(channel, reader)) await reader.handle(message);
  } catch (error) {
    if (!(error instanceof NoMessageError)) throw error;
    return error.message;
  } finally {
    channel.stdin.end();
    channel.destroy();
  }
  const ending = await channel.ended;
  const last = stderr.trim().split("\n").at(-1) ?? "";
  if (last !== "") return last.replace(/^muster-refused \{"reason": "(.*)", "next": .*$/, "$1");
  return ending.kind === "lost" ? ending.reason : `the program that sends ${reader.about} ended`;
}

/** A node sent something else than messages. */
class NoMessageError extends Error {}

async function* parseMessages<Message>(
  { stdout }: Channel,
  { about, maxLineBytes, parse }: MessageReader<Message>,
): AsyncGenerator<Message> {
  let rest: Buffer = Buffer.alloc(0);
  let preambleBytes = 0;
  let hasBegun = false;
  try {
    for await (const bytes of stdout as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        const message = parse(rest.toString("utf8", 0, end));
        rest = rest.subarray(end + 1);
        if (message !== undefined) {
          hasBegun = true;
          yield message;
        } else if (hasBegun) throw new NoMessageError(`it sent what is not a message about ${about}`);
        else preambleBytes += end + 1;
      }
      if (rest.length > maxLineBytes || preambleBytes > MAX_PREAMBLE_BYTES)
        throw new NoMessageError("it sent too long a line, or too much before its first message");
    }
  } catch (error) {
    // A connection that breaks is no error here: `ended` says why no more comes.
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
}
