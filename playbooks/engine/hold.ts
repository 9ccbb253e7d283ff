import { createInterface } from "node:readline";
import { type Kept, keepFirst } from "../../fleet/collect.js";
import type { Channel, Connection } from "../../fleet/connection.js";
import { ConnectionError } from "../../fleet/errors.js";
import { MusterError } from "../../schemas/errors.js";
import { nodeLockSource } from "../../templates/nodeprograms.js";

/** Seconds beyond the wait for the lock. */
const PATIENCE = 30;

/** One provision at a time changes a node: the kernel's lock there, held as long as this connection lives. */
export interface Hold {
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
export async function hold(connection: Connection, seconds: number, waiting: () => void): Promise<Hold> {
  const { name, python } = connection.node;
  const channel = await connection.open([python, "-c", nodeLockSource(), String(seconds)]);
  const talk = new Talk(channel, name);
  try {
    let said = await talk.next(seconds + PATIENCE);
    if (said.state === "waiting") {
      waiting();
      said = await talk.next(seconds + PATIENCE);
    }
    if (said.state === "busy") throw held(name, seconds);
    if (said.state !== "held") throw new MusterError("NO_LOCK", 69, `${name}: cannot take its lock: ${said.reason}`);
    return {
      succeeded: Array.isArray(said.playbooks) ? said.playbooks.map(String) : [],
      record: async (playbooks) => {
        channel.stdin.write(`${JSON.stringify({ playbooks })}\n`);
        const answer = await talk.next(PATIENCE);
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

interface Said {
  state?: unknown;
  reason?: unknown;
  playbooks?: unknown;
}

/** What the program on the node says, line by line. */
class Talk {
  private readonly lines: AsyncIterator<string>;
  private readonly complaint: Kept;

  constructor(
    private readonly channel: Channel,
    private readonly node: string,
  ) {
    channel.stdin.on("error", () => {});
    this.lines = createInterface({ input: channel.stdout })[Symbol.asyncIterator]();
    this.complaint = keepFirst(channel.stderr, 4096);
  }

  async next(seconds: number): Promise<Said> {
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

  private async message(): Promise<Said> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) break;
      if (value.startsWith('{"muster_hold": 1,')) return parsed(value);
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

function parsed(line: string): Said {
  try {
    return JSON.parse(line) as Said;
  } catch {
    return { state: "error", reason: "its answer cannot be read" };
  }
}

function held(node: string, seconds: number): MusterError {
  return new MusterError("HELD", 75, `${node}: another provision still runs there, after ${seconds} s of waiting`, {
    next: "Wait for it to end, then run this again.",
  });
}
