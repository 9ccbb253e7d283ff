import type { ClientChannel } from "ssh2";
import type { Channel, ExitReason } from "../connection.js";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { parseStartMark } from "../quote.js";
import type { SshConnection } from "./sshconnection.js";

/** A program that has started on a node: its channel, and its process (and process group) id there. */
export interface RemoteProgram {
  channel: Channel;
  pid: number;
}

/** More than this before a program's own output is no banner. */
const MAX_BANNER_BYTES = 64 * 1024;

/**
 * Makes a channel of the stream of a command line from `startLine`. Resolves once the mark has come, with what comes after
 * it still to be read. Rejects (SHELL, LOST, TIMEOUT) when the login shell does not get that far within `seconds`.
 */
export async function awaitStart(
  stream: ClientChannel,
  link: SshConnection,
  where: NodeStep,
  seconds: number,
): Promise<RemoteProgram> {
  const ended = awaitExit(stream, link);
  try {
    const pid = await link.request<number>(where, seconds, (done) => readStartMark(stream, where, done));
    const { stderr } = stream;
    return { channel: { stdin: stream, stdout: stream, stderr, ended, destroy: () => closeStream(stream) }, pid };
  } catch (error) {
    closeStream(stream);
    throw error;
  }
}

/** Reads up to the mark and leaves the rest in the stream. */
function readStartMark(stream: ClientChannel, where: NodeStep, done: (error: Error | null, pid: number) => void): void {
  let seen = Buffer.alloc(0);
  const finish = (error: Error | null, pid: number) => {
    stream.off("readable", read);
    stream.off("end", end);
    done(error, pid);
  };
  const end = () => {
    const said = formatOutput(`${seen} ${stream.stderr.read() ?? ""}`);
    const reason = said === "" ? "the login shell ended before it started anything" : `the login shell says: ${said}`;
    finish(new ConnectionError("SHELL", where, reason), 0);
  };
  const read = () => {
    for (let part = stream.read(); part !== null; part = stream.read()) {
      seen = Buffer.concat([seen, part]);
      const mark = parseStartMark(seen);
      if (mark === undefined && seen.length <= MAX_BANNER_BYTES) continue;
      if (mark === undefined)
        return finish(new ConnectionError("SHELL", where, "the login shell prints without end"), 0);
      if (mark.rest.length > 0) stream.unshift(mark.rest);
      return finish(null, mark.pid);
    }
  };
  stream.on("readable", read);
  stream.on("end", end);
}

/**
 * How the program ends: a connection that drops brings no exit status, and that is never a success. The close event has the
 * status too; the exit event may have passed before anyone could listen, when a short program's whole life is one packet.
 */
function awaitExit(stream: ClientChannel, link: SshConnection): Promise<ExitReason> {
  return new Promise((resolve) => {
    stream.on("error", () => {});
    stream.once("close", (code?: number | null, signal?: string) => {
      if (typeof code === "number") resolve({ kind: "exit", code });
      else if (code === null) resolve({ kind: "signal", signal: signal ?? "unknown" });
      else resolve({ kind: "lost", reason: link.error?.message ?? "the connection ended before the program did" });
    });
  });
}

function closeStream(stream: ClientChannel): void {
  // Without a reader the close event never comes.
  stream.resume();
  stream.stderr.resume();
  stream.close();
}

/** What a node says, fit to be shown: one line, no control characters, at most 300 characters. */
function formatOutput(text: string): string {
  return text
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, 300);
}
