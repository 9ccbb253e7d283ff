import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import type { Hop } from "./hop.js";
import { explainLoginError } from "./loginerrors.js";

/** Opens a TCP connection to a machine. Rejects with a ConnectionError: UNREACHABLE, CONFIG, or TIMEOUT after `seconds`. */
export async function openSocket(hop: Hop, where: NodeStep, seconds: number): Promise<Socket> {
  // Nagle's algorithm would add 40 ms to every small packet.
  const socket = connect({ host: hop.host, port: hop.port, noDelay: true, ...chooseLocalAddress(hop, where) });
  const timeout = AbortSignal.timeout(seconds * 1000);
  try {
    await once(socket, "connect", { signal: timeout });
    return socket;
  } catch (error) {
    socket.destroy();
    if (timeout.aborted)
      throw new ConnectionError("TIMEOUT", where, `connection timed out after ${seconds} s`, { cause: error });
    throw explainLoginError(error as Error, hop, where, { offered: [], unusable: [] });
  } finally {
    // The socket may fail before ssh2 adds its listeners; `logIn` checks for that.
    socket.on("error", () => {});
  }
}

/** Returns the address family to dial, and the local address, which has the same family. */
function chooseLocalAddress(hop: Hop, where: NodeStep): { family: number; localAddress?: string } {
  const { bindAddress, family } = hop;
  // Node.js looks at the family only where it resolves a name.
  if (family !== 0 && isIP(hop.host) !== 0 && isIP(hop.host) !== family)
    throw new ConnectionError("UNREACHABLE", where, `AddressFamily allows IPv${family} addresses only`);
  if (bindAddress === undefined) return { family };
  const version = isIP(bindAddress);
  if (version !== 0 && (family === 0 || family === version)) return { family: version, localAddress: bindAddress };
  const reason = `BindAddress ${bindAddress} is not an address${version === 0 ? "" : " of AddressFamily"}`;
  throw new ConnectionError("CONFIG", where, reason, { next: "set BindAddress to an IP address of this machine" });
}
