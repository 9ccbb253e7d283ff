import { connect, createServer, type Server, type Socket } from "node:net";
import { DelayQueue } from "./delayqueue.js";

/** A TCP proxy that stands in for distance: each piece arrives `latency` milliseconds later, in order, both ways. */
export class DelayingProxy {
  private readonly pairs = new Set<[Socket, Socket]>();
  private stalled = false;
  /** Connections that it has taken. */
  accepted = 0;
  /** Bytes that came from the side of muster. */
  sentBytes = 0;

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private latency: number,
    private readonly target: { host: string; port: number },
  ) {
    server.on("connection", (near) => this.join(near));
  }

  readonly host = "127.0.0.1";

  /** Starts one before `target`. `latency` is one way, in milliseconds; `port`: where it listens, 0 for a free port. */
  static async start(target: { host: string; port: number }, latency: number, port = 0): Promise<DelayingProxy> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port }, resolve);
    });
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("the proxy has no port");
    return new DelayingProxy(server, bound.port, latency, target);
  }

  /** How many connections go through it now. */
  get connections(): number {
    return this.pairs.size;
  }

  /** For pieces that come from now on. */
  setLatency(milliseconds: number): void {
    this.latency = milliseconds;
  }

  /** Cuts every connection in mid-stream with a reset. New ones are taken. */
  reset(): void {
    for (const pair of [...this.pairs]) for (const socket of pair) cut(socket);
  }

  /** Lets nothing through any more, without a word, until `resume`. */
  stall(): void {
    this.stalled = true;
    for (const pair of this.pairs) for (const socket of pair) socket.pause();
  }

  resume(): void {
    this.stalled = false;
    for (const pair of this.pairs) for (const socket of pair) socket.resume();
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.reset();
    await closed;
  }

  private join(near: Socket): void {
    const far = connect({ ...this.target });
    const pair: [Socket, Socket] = [near, far];
    this.pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("close", () => this.pairs.delete(pair));
    }
    this.carry(near, far);
    this.carry(far, near);
    near.on("data", (piece) => {
      this.sentBytes += piece.length;
    });
    this.accepted++;
    if (this.stalled) this.stall();
  }

  private carry(from: Socket, to: Socket): void {
    const delay = new DelayQueue(() => this.latency);
    from.on("data", (piece) => {
      delay.later(() => {
        if (!to.destroyed && !to.write(piece)) from.pause();
      });
    });
    to.on("drain", () => {
      if (!this.stalled) from.resume();
    });
    from.on("end", () => delay.later(() => to.end()));
    from.on("error", () => cut(to));
    from.on("close", () => delay.later(() => to.destroy()));
  }
}

/**
 * Ends a connection with a reset. One that is ending already is closed: libuv refuses to reset it, and Node 20 takes it for closed
 * all the same, waits for that at the end of the process, and never ends.
 */
export function cut(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
