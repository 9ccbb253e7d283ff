import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import type { Hop } from "./hops.js";
import { explainLoginError } from "./loginerrors.js";

/** Opens a TCP connection to a machine. Rejects with a ConnectionError: UNREACHABLE, or TIMEOUT after `seconds`. */
export async function openSocket(hop: Hop, where: NodeStep, seconds: number): Promise<Socket> {
  // Nagle's algorithm would add 40 ms to every small packet.
  const socket = connect({ host: hop.host, port: hop.port, noDelay: true });
  const timeout = AbortSignal.timeout(seconds * 1000);
  try {
    await once(socket, "connect", { signal: timeout });
    return socket;
  } catch (error) {
    socket.destroy();
    if (timeout.aborted) throw new ConnectionError("TIMEOUT", where, "no answer", { cause: error });
    throw explainLoginError(error as Error, hop, where, { offered: [], unusable: [] });
  } finally {
    // The socket may fail before ssh2 adds its listeners; `logIn` checks for that.
    socket.on("error", () => {});
  }
}
