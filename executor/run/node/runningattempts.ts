import { resolveWithin } from "../../../fleet/rejectonabort.js";
import type { AgentMessage, DoneMessage, HelloMessage } from "../agent/protocol.js";

/** How long the attempts of a run that ends may take to end; agents send SIGKILL five seconds after SIGTERM. */
const END_TIMEOUT_MS = 8000;

/** How running attempts are ended. `keepLogs` does not reject; `agentEnded` resolves when no message comes any more. */
export interface EndOptions {
  cancel: (ids: string[]) => void;
  keepLogs: (done: DoneMessage) => Promise<void>;
  agentEnded: Promise<unknown>;
}

/** Knows which attempts run on a node, and can end them so that their logs are kept. */
export class RunningAttempts {
  private readonly ids = new Set<string>();
  /** Attempts that an earlier coordinator has queued: they would start while those that run end. */
  private readonly queued = new Set<string>();
  private onDone: (done: DoneMessage) => void = () => {};

  /** `held`: what the agent holds when it is attached to. */
  constructor(held: HelloMessage["held"]) {
    for (const { id, state } of held)
      if (state === "running") this.ids.add(id);
      else if (state === "queued") this.queued.add(id);
  }

  /** Handles a message of the agent. */
  handle(message: AgentMessage): void {
    if (message.ev === "started" || message.ev === "done") this.queued.delete(message.id);
    if (message.ev === "started") this.ids.add(message.id);
    else if (message.ev === "done" && this.ids.delete(message.id)) this.onDone(message);
  }

  /**
   * Cancels what runs or is queued, and resolves when the logs of all of these attempts are kept, or when they have not ended in time. Does nothing where
   * nothing runs.
   */
  async end({ cancel, keepLogs, agentEnded }: EndOptions): Promise<void> {
    if (this.ids.size === 0) return;
    const kept: Promise<void>[] = [];
    const allEnded = new Promise<void>((resolve) => {
      this.onDone = (done) => {
        if (done.canceled) kept.push(keepLogs(done));
        if (this.ids.size === 0) resolve();
      };
    });
    cancel([...this.queued, ...this.ids]);
    const collected = Promise.race([allEnded, agentEnded]).then(() => Promise.all(kept));
    await resolveWithin(collected, END_TIMEOUT_MS);
  }
}
