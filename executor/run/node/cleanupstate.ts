import type { AgentMessage } from "../agent/protocol.js";

const NOT_REACHED = "it was not reached";
const NOT_STOPPED = "its agent was told to stop and has not said that it did";

/** Tracks whether a node may hold processes or files of a run. */
export class CleanupState {
  private state: { reason?: string } | undefined;

  get mayHaveLeftovers(): boolean {
    return this.state !== undefined;
  }

  /** Why the node could not be cleaned; undefined = nothing is left there, or it was not to be cleaned. */
  get reason(): string | undefined {
    return this.state?.reason;
  }

  /** Records that an earlier session left something on the node. `reason`: why that session could not clean it. */
  markEarlierSession(reason = NOT_REACHED): void {
    this.state = { reason };
  }

  /** Records that an agent may run on the node from now on. */
  markAgentStarting(): void {
    this.state = {};
  }

  markStopRequested(): void {
    this.state = { reason: NOT_STOPPED };
  }

  recordBye(bye: Extract<AgentMessage, { ev: "bye" }>): void {
    this.state = bye.left === undefined ? undefined : { reason: bye.left };
  }

  /** Records that the agent could not be stopped at the end of the run. `why`: why the node is not connected. */
  markUnreached(why: string | undefined): void {
    if (this.state !== undefined) this.state = { reason: why === undefined ? NOT_REACHED : `${NOT_REACHED}: ${why}` };
  }
}
