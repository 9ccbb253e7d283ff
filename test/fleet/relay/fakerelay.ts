import { PassThrough } from "node:stream";
import type { Channel, ExitReason } from "../../../fleet/connection.js";
import { encodeHeader, RECEIVED } from "../../../fleet/relay/frames.js";
import { connectRelay, type RelayConnection, type RelayOptions } from "../../../fleet/relay/relayconnection.js";
import { createNode } from "../nodes.js";

export const MAGIC = "\x1emuster relay\x1e\n";

/** Returns a whole frame. */
export function encodeFrame(kind: number, channel: number, payload: Buffer | string = ""): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([encodeHeader(kind, channel, bytes.length), bytes, Buffer.from("\n")]);
}

/** A channel in which the test is the relay. */
export class FakeRelay {
  isDestroyed = false;
  end: (reason: ExitReason) => void = () => {};
  readonly channel: Channel;

  constructor() {
    const [stdin, stdout, stderr] = [new PassThrough().resume(), new PassThrough(), new PassThrough()];
    const ended = new Promise<ExitReason>((resolve) => {
      this.end = resolve;
    });
    stdin.once("end", () => this.end({ kind: "exit", code: 0 }));
    const destroy = () => {
      this.isDestroyed = true;
      this.end({ kind: "lost", reason: "the channel was closed" });
    };
    this.channel = { stdin, stdout, stderr, ended, destroy };
  }

  print(bytes: Buffer | string): void {
    (this.channel.stdout as PassThrough).write(bytes);
  }

  /** Connects to it. It has said hello then. */
  async connect(options: RelayOptions = {}): Promise<RelayConnection> {
    const connecting = connectRelay(this.channel, createNode(), options);
    this.print(MAGIC);
    this.print(encodeFrame(RECEIVED.hello, 0, JSON.stringify({ hostname: "n1", environment: { SLURM_JOB_ID: "7" } })));
    return connecting;
  }
}
