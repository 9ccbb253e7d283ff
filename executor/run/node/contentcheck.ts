import type { MusterError } from "../../../schemas/errors.js";
import type { AgentCommand, AgentMessage } from "../agent/protocol.js";
import type { FileContent } from "../record/filehashes.js";
import { createStorageError } from "./fulldisk.js";

type TakenMessage = Extract<AgentMessage, { ev: "taken" }>;

interface PendingQuestion {
  resolve: (reply: TakenMessage) => void;
  reject: (error: Error) => void;
}

/** Asks an agent whether contents are stored on its node in whole: it compares the SHA-256 of what has arrived. */
export class ContentCheck {
  private readonly pending = new Map<string, PendingQuestion>();

  constructor(private readonly send: (message: AgentCommand) => void) {}

  /**
   * Resolves with whether the content is stored; what was uploaded for it and is something else is removed. One question for a content
   * at a time. Rejects with NO_SPACE where the node cannot store it, and with the error of `close`.
   */
  async isStored({ sha256, sizeBytes }: FileContent): Promise<boolean> {
    const reply = await new Promise<TakenMessage>((resolve, reject) => {
      this.pending.set(sha256, { resolve, reject });
      this.send({ op: "take", sha256, size: sizeBytes });
    });
    if (reply.error === undefined) return reply.stored;
    throw createStorageError(reply.error);
  }

  /** Takes the agent's reply. Returns false where it answers no question of this coordinator. */
  handleReply(reply: TakenMessage): boolean {
    const question = this.pending.get(reply.sha256);
    this.pending.delete(reply.sha256);
    question?.resolve(reply);
    return question !== undefined;
  }

  /** Ends all questions: no reply will come. */
  close(error: MusterError): void {
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}
