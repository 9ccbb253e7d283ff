import type { AgentMessage } from "../agent/protocol.js";

/** More than an agent has to say while its node is prepared: what it holds, and what its slots report. */
const MAX_MESSAGES = 20_000;

/** Holds messages back until there is a handler for them. What `intercept` handles is never held back. */
export class MessageBuffer {
  /** Handles a message at once and returns true, or returns false. */
  intercept: (message: AgentMessage) => boolean = () => false;
  private readonly early: AgentMessage[] = [];
  private handle: ((message: AgentMessage) => void) | undefined;

  /** `onOverflow` is called when more messages come than an agent sends. */
  constructor(private readonly onOverflow: () => void) {}

  receive(message: AgentMessage): void {
    if (this.intercept(message)) return;
    if (this.handle !== undefined) this.handle(message);
    else if (this.early.length < MAX_MESSAGES) this.early.push(message);
    else this.onOverflow();
  }

  /** Passes every message so far, and every later one, to `handle`. */
  deliver(handle: (message: AgentMessage) => void): void {
    this.handle = handle;
    for (const message of this.early.splice(0)) handle(message);
  }
}
