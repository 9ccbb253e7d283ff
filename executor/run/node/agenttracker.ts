import type { HelloMessage } from "./handshake.js";

/** What happened to a node's previous agent. `ended`: it died, or it ended because its lease ran out. */
export type AgentChange = "rebooted" | "died" | "ended";

/** The fields of a hello that identify an agent. */
type AgentIdentity = Pick<HelloMessage, "boot" | "pid" | "started">;

/** Detects at each attachment whether a node's agent was replaced since the previous one, and why. */
export class AgentTracker {
  /** The agent of the latest attachment. */
  lastAgent: AgentIdentity | undefined;
  private readonly silence = new SilenceClock();

  /** `leaseSeconds`: how long an agent stays alive without a coordinator. */
  constructor(private readonly leaseSeconds: number) {}

  /** Records that the agent has sent a message. */
  recordMessage(): void {
    this.silence.recordMessage();
  }

  /** Records an agent's hello. Returns what happened to the previous agent; undefined = it is the same, or there was none. */
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
    // Agents are pinged four times in a lease, so a silence of less than half of it cannot have ended the lease.
    return this.silence.longestSeconds < this.leaseSeconds / 2 ? "died" : "ended";
  }
}

/** Describes a change of agent for people. */
export function describeAgentChange(change: AgentChange): string {
  if (change === "rebooted") return "it has rebooted";
  return `its agent has ${change}, and another one was started`;
}

/**
 * Measures the longest time without a message. It uses two clocks, because the monotonic one stops while this machine is
 * suspended and the wall clock can be set back.
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

  /** The longest silence since the last restart, including the current one. */
  get longestSeconds(): number {
    const now = Math.max(performance.now() - this.monotonicMs, Date.now() - this.wallMs);
    return Math.max(this.longest, now / 1000);
  }
}
