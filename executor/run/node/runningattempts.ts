import { resolveWithin } from "../../../fleet/rejectonabort.js";
import type { AgentMessage, DoneMessage, HelloMessage } from "../agent/protocol.js";

/** Seconds between SIGTERM and SIGKILL, where the job says nothing. */
const DEFAULT_GRACE_SECONDS = 5;
/** How long agents may take to end attempts after SIGKILL, and to say so. */
const KILL_SECONDS = 3;
/** A node cannot make anybody wait longer than this. */
const MAX_GRACE_SECONDS = 3600;

/** How running attempts are ended. `keepLogs` does not reject; `agentEnded` resolves when no message comes any more. */
export interface EndOptions {
  cancel: (ids: string[]) => void;
  keepLogs: (done: DoneMessage) => Promise<void>;
  /** Called where that may take longer than usual. */
  report: (message: string) => void;
  agentEnded: Promise<unknown>;
}

/** Knows which attempts run on a node, and can end them so that their logs are kept. */
export class RunningAttempts {
  private readonly ids = new Set<string>();
  /** Attempts that an earlier coordinator has queued: they would start while those that run end. */
  private readonly queued = new Set<string>();
  /** The longest time between SIGTERM and SIGKILL that one of them may have. */
  private graceSeconds = DEFAULT_GRACE_SECONDS;
  private onDone: (done: DoneMessage) => void = () => {};

  /** `held`: what the agent holds when it is attached to. */
  constructor(held: HelloMessage["held"]) {
    for (const { id, state, grace } of held) {
      this.expectGrace(grace);
      if (state === "running") this.ids.add(id);
      else if (state === "queued") this.queued.add(id);
    }
  }

  /** Records how long an attempt may take to end; undefined = as long as usual. */
  expectGrace(seconds: number | undefined): void {
    this.graceSeconds = Math.max(this.graceSeconds, Math.min(seconds ?? 0, MAX_GRACE_SECONDS));
  }

  /** Handles a message of the agent. */
  handle(message: AgentMessage): void {
    if (message.ev === "started" || message.ev === "done") this.queued.delete(message.id);
    if (message.ev === "started") this.ids.add(message.id);
    else if (message.ev === "done" && this.ids.delete(message.id)) this.onDone(message);
  }

  /**
   * Cancels what runs or is queued, and resolves when the logs of all of these attempts are kept, or when they have not ended in time. Does
   * nothing where nothing runs.
   */
  async end({ cancel, keepLogs, report, agentEnded }: EndOptions): Promise<void> {
    if (this.ids.size === 0) return;
    const kept: Promise<void>[] = [];
    const allEnded = new Promise<void>((resolve) => {
      this.onDone = (done) => {
        if (done.cancelled) kept.push(keepLogs(done));
        if (this.ids.size === 0) resolve();
      };
    });
    if (this.graceSeconds > DEFAULT_GRACE_SECONDS)
      report(`waiting for its programs to end, for ${this.graceSeconds} s at most (grace)`);
    cancel([...this.queued, ...this.ids]);
    await resolveWithin(Promise.race([allEnded, agentEnded]), (this.graceSeconds + KILL_SECONDS) * 1000);
    await Promise.race([Promise.all(kept), agentEnded]);
  }
}
