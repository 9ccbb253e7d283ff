import type { HelloMessage } from "./handshake.js";

/** `ended`: nobody can tell whether the agent died, since its lease may have run out. */
export type AgentChange = "rebooted" | "died" | "ended";

/** What tells one agent of a run from another. */
type AgentIdentity = Pick<HelloMessage, "boot" | "pid" | "started">;

/** Tells at each attachment whether a node's agent is the one that was there before, and if not, why. */
export class AgentTracker {
  /** Of the latest attachment. */
  lastAgent: AgentIdentity | undefined;
  private readonly silence = new SilenceClock();

  /** `leaseSeconds`: how long an agent lives without a coordinator. */
  constructor(private readonly leaseSeconds: number) {}

  /** A message has come from the agent. */
  recordMessage(): void {
    this.silence.recordMessage();
  }

  /** An agent has said hello. Returns what has become of the one before it; undefined where that is the same, or there was none. */
  recordAttachment(hello: AgentIdentity): AgentChange | undefined {
    const change = this.compareWith(hello);
    this.lastAgent = hello;
    this.silence.restart();
    return change;
  }

  private compareWith({ boot, pid, started }: AgentIdentity): AgentChange | undefined {
    const before = this.lastAgent;
    if (before === undefined) return undefined;
    if (before.boot !== boot) return "rebooted";
    if (before.pid === pid && before.started === started) return undefined;
    // Agents are asked for a sign of life four times in a lease, so a shorter silence cannot have ended it.
    return this.silence.longestSeconds < this.leaseSeconds / 2 ? "died" : "ended";
  }
}

/** What a person is told of a change. */
export function describeAgentChange(change: AgentChange): string {
  if (change === "rebooted") return "it has rebooted";
  return `its agent has ${change}, and another one was started`;
}

/**
 * Measures the longest time in which nothing was heard. By two clocks: the monotonic one stands still while this machine is
 * suspended, the other can be set back.
 */
class SilenceClock {
  private longest = 0;
  private monotonicMs = performance.now();
  private wallMs = Date.now();

  recordMessage(): void {
    this.longest = this.longestSeconds;
    this.monotonicMs = performance.now();
    this.wallMs = Date.now();
  }

  restart(): void {
    this.recordMessage();
    this.longest = 0;
  }

  /** Since the last restart, up to now. */
  get longestSeconds(): number {
    const now = Math.max(performance.now() - this.monotonicMs, Date.now() - this.wallMs);
    return Math.max(this.longest, now / 1000);
  }
}
