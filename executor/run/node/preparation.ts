import type { Attachment } from "./attachment.js";
import { isConnectionLost } from "./attemptfailure.js";
import type { CleanupState } from "./cleanupstate.js";
import { stopSeconds } from "./stopagent.js";

/** Prepares the project on a node before the node gets work: stages it, and builds it where the job says so. */
export class Preparation {
  /** The attachment whose node is being prepared. */
  attachment: Attachment | undefined;
  hasBegun = false;

  constructor(
    private readonly cleanup: CleanupState,
    private readonly report: (message: string) => void,
  ) {}

  /**
   * Resolves when the node can be given work, or when `isOver` fires: whoever ended the run has dealt with the attachment then. Rejects
   * with BUILD, NO_SPACE, PROTOCOL or LOST where the node cannot be used; its agent has been stopped where it could be.
   */
  async prepare(attachment: Attachment, isOver: AbortSignal): Promise<void> {
    this.attachment = attachment;
    this.hasBegun = true;
    try {
      await attachment.prepareProject(this.report);
    } catch (error) {
      if (isOver.aborted) return;
      if (isConnectionLost(error)) attachment.close();
      else await this.stopAgent(attachment);
      this.finish();
      throw error;
    }
  }

  /** The attachment is in use now, or closed. */
  finish(): void {
    this.attachment = undefined;
  }

  /** Stops the agent of an attachment; resolves when it has ended, or its grace period has. */
  async stopAgent(attachment: Attachment): Promise<void> {
    if (attachment === this.attachment)
      attachment.deliverMessages((message) => {
        if (message.ev === "bye") this.cleanup.recordBye(message);
      });
    this.cleanup.markStopRequested();
    attachment.send({ op: "stop" });
    await attachment.waitForExit(stopSeconds(attachment.node));
  }
}
