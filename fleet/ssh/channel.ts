import type { ClientChannel } from "ssh2";
import type { Channel, Ending } from "../connection.js";
import { ConnectionError, type Where } from "../errors.js";
import { findMark } from "../quote.js";
import type { Link } from "./link.js";

/** A program that has started on a node: its channel, and its process (and process group) id there. */
export interface Started {
  channel: Channel;
  pid: number;
}

/** More than this before a program's own output is no banner. */
const LONGEST_BANNER = 64 * 1024;

/**
 * Makes a channel of the stream of a command line from `startLine`. Resolves once the mark has come, with what comes after
 * it still to be read. Rejects (SHELL, LOST, TIMEOUT) when the login shell does not get that far within `seconds`.
 */
export async function toChannel(stream: ClientChannel, link: Link, where: Where, seconds: number): Promise<Started> {
  const ended = ending(stream, link);
  try {
    const pid = await link.ask<number>(where, seconds, (done) => takeMark(stream, where, done));
    const { stderr } = stream;
    return { channel: { stdin: stream, stdout: stream, stderr, ended, destroy: () => letGo(stream) }, pid };
  } catch (error) {
    letGo(stream);
    throw error;
  }
}

/** Reads up to the mark and leaves the rest in the stream. */
function takeMark(stream: ClientChannel, where: Where, done: (error: Error | null, pid: number) => void): void {
  let seen = Buffer.alloc(0);
  const finish = (error: Error | null, pid: number) => {
    stream.off("readable", read);
    stream.off("end", end);
    done(error, pid);
  };
  const end = () => {
    const said = printable(`${seen} ${stream.stderr.read() ?? ""}`);
    const reason = said === "" ? "the login shell ended before it started anything" : `the login shell says: ${said}`;
    finish(new ConnectionError("SHELL", where, reason), 0);
  };
  const read = () => {
    for (let part = stream.read(); part !== null; part = stream.read()) {
      seen = Buffer.concat([seen, part]);
      const mark = findMark(seen);
      if (mark === undefined && seen.length <= LONGEST_BANNER) continue;
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
function ending(stream: ClientChannel, link: Link): Promise<Ending> {
  return new Promise((resolve) => {
    stream.on("error", () => {});
    stream.once("close", (code?: number | null, signal?: string) => {
      if (typeof code === "number") resolve({ kind: "exit", code });
      else if (code === null) resolve({ kind: "signal", signal: signal ?? "unknown" });
      else resolve({ kind: "lost", reason: link.error?.message ?? "the connection ended before the program did" });
    });
  });
}

function letGo(stream: ClientChannel): void {
  // Without a reader the close event never comes.
  stream.resume();
  stream.stderr.resume();
  stream.close();
}

/** What a node says, fit to be shown: one line, no control characters, at most 300 characters. */
function printable(text: string): string {
  return text
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, 300);
}
