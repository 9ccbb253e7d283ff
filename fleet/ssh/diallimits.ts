import { Semaphore } from "../semaphore.js";
import type { Hop } from "./hop.js";

/** Concurrent log-ins at one address: sshd drops connections when more than ten have not logged in yet (MaxStartups). */
const MAX_LOGINS_PER_ADDRESS = 8;

/** Concurrent handshakes: each takes this machine's processor for milliseconds, while the time limits of all of them run. */
const MAX_HANDSHAKES = 64;

/** Limits how many dials run at once. A machine that does not answer delays only the dials to its own address. */
export class DialLimits {
  readonly handshakes = new Semaphore(MAX_HANDSHAKES);
  private readonly addresses = new Map<string, Semaphore>();

  /**
   * Returns the semaphore of the address that a dial leads to first. A dial holds it from its first packet until the log-in has
   * succeeded or failed. The nodes behind a jump host share that of the jump host, and those with the same ProxyCommand share one,
   * because it may lead through one machine.
   */
  forHop({ host, port, proxyTemplate }: Pick<Hop, "host" | "port" | "proxyTemplate">): Semaphore {
    const address = proxyTemplate === undefined ? `${host}:${port}` : `ProxyCommand ${proxyTemplate}`;
    const semaphore = this.addresses.get(address) ?? new Semaphore(MAX_LOGINS_PER_ADDRESS);
    this.addresses.set(address, semaphore);
    return semaphore;
  }
}
