import type { ClientChannel } from "ssh2";
import type { Channel, ExitReason } from "../connection.js";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import { parseStartMark } from "../quote.js";
import type { SshConnection } from "./sshconnection.js";

/** A program that runs on a node: its channel, and its process id, which is also its process group id. */
export interface RemoteProgram {
  channel: Channel;
  pid: number;
  /** What the login shell printed before the program started: printable text, at most a line; empty where it printed nothing. */
  shellOutput: string;
}

/** The most output that a login shell may print before the program starts. */
const MAX_BANNER_BYTES = 64 * 1024;

/**
 * Waits for the start mark in the stream of a command line from `formatStartCommand`. Resolves with the program; its own output, which
 * follows the mark, is unread. Rejects with a ConnectionError (SHELL, LOST, TIMEOUT) if the mark does not arrive within `seconds`.
 */
export async function awaitStart(
  stream: ClientChannel,
  connection: SshConnection,
  where: NodeStep,
  seconds: number,
): Promise<RemoteProgram> {
  const ended = awaitExit(stream, connection);
  const printed = { bytes: Buffer.alloc(0) };
  try {
    const pid = await connection.request<number>(where, seconds, (done) => readStartMark(stream, where, printed, done));
    const { stderr } = stream;
    const channel = { stdin: stream, stdout: stream, stderr, ended, destroy: () => closeStream(stream) };
    return { channel, pid, shellOutput: formatOutput(`${parseStartMark(printed.bytes)?.before ?? ""}`) };
  } catch (error) {
    const isLate = error instanceof ConnectionError && error.code === "TIMEOUT";
    const late = isLate ? createLateShellError(where, seconds, formatOutput(`${printed.bytes}`)) : error;
    closeStream(stream);
    throw late;
  }
}

/** The log-in works, and the shell does not get to the program: it waits for something, or became another program. */
function createLateShellError(where: NodeStep, seconds: number, output: string): ConnectionError {
  const printed = output === "" ? "printed nothing" : `printed: ${output}`;
  const reason = `the login shell did not start the program within ${seconds} s, and ${printed}`;
  const next =
    "run `ssh HOST true`; if that hangs too, look for `exec`, `read` and commands that wait in the start-up files of that user's login shell (~/.bashrc, ~/.zshenv, ~/.cshrc, config.fish)";
  return new ConnectionError("TIMEOUT", where, reason, { next });
}

/** Reads up to the start mark and leaves the rest in the stream. `printed` receives what was read. */
function readStartMark(
  stream: ClientChannel,
  where: NodeStep,
  printed: { bytes: Buffer },
  done: (error: Error | null, pid: number) => void,
): void {
  let seen = Buffer.alloc(0);
  const finish = (error: Error | null, pid: number) => {
    stream.off("readable", read);
    stream.off("end", end);
    done(error, pid);
  };
  const end = () => {
    const output = formatOutput(`${seen} ${stream.stderr.read() ?? ""}`);
    const reason =
      output === "" ? "the login shell exited without starting the program" : `the login shell printed: ${output}`;
    finish(new ConnectionError("SHELL", where, reason), 0);
  };
  const read = () => {
    for (let part = stream.read(); part !== null; part = stream.read()) {
      seen = Buffer.concat([seen, part]);
      printed.bytes = seen;
      const mark = parseStartMark(seen);
      if (mark === undefined && seen.length <= MAX_BANNER_BYTES) continue;
      if (mark === undefined)
        return finish(new ConnectionError("SHELL", where, "the login shell prints more than 64 KiB"), 0);
      if (mark.rest.length > 0) stream.unshift(mark.rest);
      return finish(null, mark.pid);
    }
  };
  stream.on("readable", read);
  stream.on("end", end);
}

/**
 * Resolves with how the program ended. A lost connection brings no exit status, which never counts as success. The status is taken from
 * the close event, because the exit event of a short program may be emitted before a listener can be added.
 */
function awaitExit(stream: ClientChannel, connection: SshConnection): Promise<ExitReason> {
  return new Promise((resolve) => {
    stream.on("error", () => {});
    stream.once("close", (code?: number | null, signal?: string) => {
      if (typeof code === "number") resolve({ kind: "exit", code });
      else if (code === null) resolve({ kind: "signal", signal: signal ?? "unknown" });
      else
        resolve({ kind: "lost", reason: connection.error?.message ?? "the connection ended before the program did" });
    });
  });
}

function closeStream(stream: ClientChannel): void {
  // The close event is emitted only after the streams have been read.
  stream.resume();
  stream.stderr.resume();
  stream.close();
}

/** Converts output to one line without control characters, of at most 300 characters. */
function formatOutput(text: string): string {
  return text
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, 300);
}
