import type { AgentMessage } from "../agent/protocol.js";

const NOT_REACHED = "it was not reached";
const NOT_STOPPED = "its agent was told to stop and has not said that it did";

/** What of a run may be on one node: processes, or files in the run's folder there. */
export class CleanupState {
  private state: { reason?: string } | undefined;

  /** Whether something may be there. */
  get mayHaveLeftovers(): boolean {
    return this.state !== undefined;
  }

  /** Why the node could not be cleaned; undefined where it was not to be, or where nothing is left. */
  get reason(): string | undefined {
    return this.state?.reason;
  }

  /** An earlier session left something there, and may have said why. */
  markEarlierSession(reason = NOT_REACHED): void {
    this.state = { reason };
  }

  /** An agent may run there from now on. */
  markAgentStarting(): void {
    this.state = {};
  }

  markStopRequested(): void {
    this.state = { reason: NOT_STOPPED };
  }

  recordBye(bye: Extract<AgentMessage, { ev: "bye" }>): void {
    this.state = bye.left === undefined ? undefined : { reason: bye.left };
  }

  /** The run ends, and the agent cannot be told: `why` the node is not there, as far as is known. */
  markUnreached(why: string | undefined): void {
    if (this.state !== undefined) this.state = { reason: why === undefined ? NOT_REACHED : `${NOT_REACHED}: ${why}` };
  }
}
