import { type ProxyStream, startProxyCommand } from "./proxystream.js";

/** Starts ProxyCommands, and kills those that still run when this process exits without closing its connections. */
export class ProxyCommands {
  private readonly running = new Set<ProxyStream>();
  private readonly killAll = () => {
    for (const stream of this.running) stream.kill();
  };

  /** Starts a command; see `startProxyCommand`. */
  async start(command: string): Promise<ProxyStream> {
    const stream = await startProxyCommand(command);
    if (this.running.size === 0) process.on("exit", this.killAll);
    this.running.add(stream);
    stream.once("close", () => {
      this.running.delete(stream);
      if (this.running.size === 0) process.off("exit", this.killAll);
    });
    return stream;
  }
}
