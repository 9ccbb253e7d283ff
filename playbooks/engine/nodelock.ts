import { createInterface } from "node:readline";
import { type CappedOutput, captureOutput } from "../../fleet/cappedoutput.js";
import type { Channel, Connection } from "../../fleet/connection.js";
import { ConnectionError } from "../../fleet/connectionerror.js";
import { MusterError } from "../../schemas/errors.js";
import { nodeLockSource } from "../../templates/nodeprograms.js";

/** Seconds beyond the wait for the lock. */
const ANSWER_TIMEOUT_SECONDS = 30;

/** One provision at a time changes a node: the kernel's lock there, held as long as this connection lives. */
export interface NodeLock {
  /** The playbooks that succeeded since the node booted. */
  succeeded: string[];
  /** Notes on the node that these succeeded since it booted. */
  record(playbooks: string[]): Promise<void>;
  release(): Promise<void>;
}

/**
 * Takes the lock, waiting at most `seconds`; `waiting` is called where somebody else has it. Rejects with a MusterError:
 * HELD (exit 75) when the wait was in vain, else what keeps the lock from being taken.
 */
export async function acquireNodeLock(connection: Connection, seconds: number, waiting: () => void): Promise<NodeLock> {
  const { name, python } = connection.node;
  const channel = await connection.open([python, "-c", nodeLockSource(), String(seconds)]);
  const talk = new LockClient(channel, name);
  try {
    let said = await talk.next(seconds + ANSWER_TIMEOUT_SECONDS);
    if (said.state === "waiting") {
      waiting();
      said = await talk.next(seconds + ANSWER_TIMEOUT_SECONDS);
    }
    if (said.state === "busy") throw createHeldError(name, seconds);
    if (said.state !== "held") throw new MusterError("NO_LOCK", 69, `${name}: cannot take its lock: ${said.reason}`);
    return {
      succeeded: Array.isArray(said.playbooks) ? said.playbooks.map(String) : [],
      record: async (playbooks) => {
        channel.stdin.write(`${JSON.stringify({ playbooks })}\n`);
        const answer = await talk.next(ANSWER_TIMEOUT_SECONDS);
        if (answer.state !== "recorded")
          throw new MusterError("NO_LOCK", 69, `${name}: cannot note what succeeded: ${answer.reason}`);
      },
      release: () => talk.end(),
    };
  } catch (error) {
    await talk.end();
    throw error;
  }
}

interface LockMessage {
  state?: unknown;
  reason?: unknown;
  playbooks?: unknown;
}

/** What the program on the node says, line by line. */
class LockClient {
  private readonly lines: AsyncIterator<string>;
  private readonly complaint: CappedOutput;

  constructor(
    private readonly channel: Channel,
    private readonly node: string,
  ) {
    channel.stdin.on("error", () => {});
    this.lines = createInterface({ input: channel.stdout })[Symbol.asyncIterator]();
    this.complaint = captureOutput(channel.stderr, 4096);
  }

  async next(seconds: number): Promise<LockMessage> {
    const where = { node: this.node, step: "take its lock" };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new ConnectionError("TIMEOUT", where, `no answer within ${seconds} s`);
      timer = setTimeout(() => reject(error), seconds * 1000);
    });
    try {
      return await Promise.race([this.message(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async message(): Promise<LockMessage> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) break;
      if (value.startsWith('{"muster_hold": 1,')) return parseLockMessage(value);
    }
    return { state: "error", reason: this.complaint.text().trim().split("\n").at(-1) || "it ended" };
  }

  /** The program ends with its stdin; once it has, the lock is free. */
  async end(): Promise<void> {
    this.channel.stdin.end();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      this.channel.ended,
      new Promise((resolve) => {
        timer = setTimeout(resolve, 5000);
      }),
    ]);
    clearTimeout(timer);
    this.channel.destroy();
  }
}

function parseLockMessage(line: string): LockMessage {
  try {
    return JSON.parse(line) as LockMessage;
  } catch {
    return { state: "error", reason: "its answer cannot be read" };
  }
}

function createHeldError(node: string, seconds: number): MusterError {
  return new MusterError("HELD", 75, `${node}: another provision still runs there, after ${seconds} s of waiting`, {
    next: "Wait for it to end, then run this again.",
  });
}
