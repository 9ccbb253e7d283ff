import { Semaphore } from "../semaphore.js";
import type { Hop } from "./hops.js";

/** Log-ins at one address at once: an sshd drops connections when more than ten have not logged in yet (MaxStartups). */
const MAX_LOGINS_PER_ADDRESS = 8;

/** Handshakes at once: each takes this machine's processor for milliseconds, and its time limit goes on meanwhile. */
const MAX_HANDSHAKES = 64;

/**
 * What keeps many dials from harming each other. A machine that says nothing is waited for beside all others: it holds a turn at
 * its own address only.
 */
export class DialLimits {
  readonly handshakes = new Semaphore(MAX_HANDSHAKES);
  private readonly addresses = new Map<string, Semaphore>();

  /** Passed from the first packet to this machine until the log-in has succeeded or failed; a jump host is one for all nodes behind it. */
  forAddress({ host, port }: Pick<Hop, "host" | "port">): Semaphore {
    const address = `${host}:${port}`;
    const gate = this.addresses.get(address) ?? new Semaphore(MAX_LOGINS_PER_ADDRESS);
    this.addresses.set(address, gate);
    return gate;
  }
}
