import { createInterface } from "node:readline";
import { type CappedOutput, captureOutput } from "../../fleet/cappedoutput.js";
import type { Channel, Connection } from "../../fleet/connection.js";
import { ConnectionError } from "../../fleet/connectionerror.js";
import { resolveWithin } from "../../fleet/rejectonabort.js";
import { MusterError } from "../../schemas/errors.js";
import { nodeLockSource } from "../../templates/nodeprograms.js";

/** How long the program on the node may take to answer, in addition to the wait for the lock. */
const ANSWER_TIMEOUT_SECONDS = 30;
const RELEASE_TIMEOUT_MS = 5000;

/** A kernel lock on a node, so that only one provision at a time changes it. The lock ends with the connection. */
export interface NodeLock {
  /** The playbooks that have succeeded since the node booted. */
  succeeded: string[];
  /** Records on the node that these playbooks have succeeded since it booted. Rejects with a MusterError (NO_LOCK). */
  record(playbooks: string[]): Promise<void>;
  release(): Promise<void>;
}

/**
 * Acquires the lock of a node and waits up to `seconds` for it; `onWait` is called once if another provision holds it. Rejects with a
 * MusterError: HELD (exit 75) if the wait timed out, NO_LOCK if the node cannot create the lock, TIMEOUT if it does not answer.
 */
export async function acquireNodeLock(connection: Connection, seconds: number, onWait: () => void): Promise<NodeLock> {
  const { name, python } = connection.node;
  const channel = await connection.open([python, "-c", nodeLockSource(), String(seconds)]);
  const client = new LockClient(channel, name);
  try {
    let message = await client.next(seconds + ANSWER_TIMEOUT_SECONDS);
    if (message.state === "waiting") {
      onWait();
      message = await client.next(seconds + ANSWER_TIMEOUT_SECONDS);
    }
    if (message.state === "busy") throw createHeldError(name, seconds);
    if (message.state !== "held")
      throw new MusterError("NO_LOCK", `its lock cannot be acquired: ${message.reason}`, { node: name });
    return {
      succeeded: Array.isArray(message.playbooks) ? message.playbooks.map(String) : [],
      record: async (playbooks) => {
        channel.stdin.write(`${JSON.stringify({ playbooks })}\n`);
        const answer = await client.next(ANSWER_TIMEOUT_SECONDS);
        if (answer.state !== "recorded")
          throw new MusterError("NO_LOCK", `the success cannot be recorded: ${answer.reason}`, { node: name });
      },
      release: () => client.end(),
    };
  } catch (error) {
    await client.end();
    throw error;
  }
}

interface LockMessage {
  state?: unknown;
  reason?: unknown;
  playbooks?: unknown;
}

/** Reads the messages of the lock program on the node, one per line. */
class LockClient {
  private readonly lines: AsyncIterator<string>;
  private readonly errorOutput: CappedOutput;

  constructor(
    private readonly channel: Channel,
    private readonly node: string,
  ) {
    channel.stdin.on("error", () => {});
    this.lines = createInterface({ input: channel.stdout })[Symbol.asyncIterator]();
    this.errorOutput = captureOutput(channel.stderr, 4096);
  }

  async next(seconds: number): Promise<LockMessage> {
    const message = await resolveWithin(this.message(), seconds * 1000);
    if (message !== undefined) return message;
    const where = { node: this.node, step: "acquire its lock" };
    throw new ConnectionError("TIMEOUT", where, `no answer within ${seconds} s`);
  }

  private async message(): Promise<LockMessage> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) break;
      if (value.startsWith('{"muster_hold": 1,')) return parseLockMessage(value);
    }
    return { state: "error", reason: this.errorOutput.text().trim().split("\n").at(-1) || "the program exited" };
  }

  /** Closes the program's stdin, which makes it exit and release the lock. Waits for that, up to RELEASE_TIMEOUT_MS. */
  async end(): Promise<void> {
    this.channel.stdin.end();
    await resolveWithin(this.channel.ended, RELEASE_TIMEOUT_MS);
    this.channel.destroy();
  }
}

function parseLockMessage(line: string): LockMessage {
  try {
    return JSON.parse(line) as LockMessage;
  } catch {
    return { state: "error", reason: "its answer is not valid" };
  }
}

function createHeldError(node: string, seconds: number): MusterError {
  return new MusterError("HELD", `another provision is still running there after a wait of ${seconds} s`, {
    node,
    next: "Wait until it has finished, then run this again.",
  });
}
