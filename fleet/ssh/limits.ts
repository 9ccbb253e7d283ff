import { Gate } from "../gate.js";
import type { Hop } from "./config.js";

/** Log-ins at one address at once: an sshd drops connections when more than ten have not logged in yet (MaxStartups). */
const PER_ADDRESS = 8;

/** Handshakes at once: each takes this machine's processor for milliseconds, and its time limit goes on meanwhile. */
const HANDSHAKES = 64;

/**
 * What keeps many dials from harming each other. A machine that says nothing is waited for beside all others: it holds a turn at
 * its own address only.
 */
export class DialLimits {
  readonly handshakes = new Gate(HANDSHAKES);
  private readonly addresses = new Map<string, Gate>();

  /** Passed from the first packet to this machine until the log-in has succeeded or failed; a jump host is one for all nodes behind it. */
  at({ host, port }: Pick<Hop, "host" | "port">): Gate {
    const address = `${host}:${port}`;
    const gate = this.addresses.get(address) ?? new Gate(PER_ADDRESS);
    this.addresses.set(address, gate);
    return gate;
  }
}
