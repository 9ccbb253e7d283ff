import { resolveWithin } from "../../../fleet/rejectonabort.js";
import type { DoneMessage } from "../agent/protocol.js";
import type { Attachment, KeepLogs, ResultSource } from "./attachment.js";
import { isSuccess } from "./attemptfailure.js";

/** How long an agent may take to report the results that it says it holds. */
const REPORT_TIMEOUT_MS = 30_000;

/** Keeps what an agent holds before it is stopped. */
export interface AttemptKeeper {
  keepLogs: KeepLogs;
  /** Called once with the number of attempts on `node` that have ended and were not collected, where there are any. */
  onHeld(node: string, count: number): void;
  /** Called with a message where attempts on `node` may take long to end. */
  onEnding(node: string, message: string): void;
  /** Keeps the result of an attempt on `node` that has succeeded. Rejects only for bugs. */
  keepResult(node: string, done: DoneMessage, source: ResultSource): Promise<void>;
}

/** The attempts that have ended when their agent is attached to, and those that end until it is stopped. */
export class HeldResults {
  private readonly unreported: Set<string>;
  private readonly keeping: Promise<void>[] = [];
  private onAllReported: () => void = () => {};

  constructor(
    private readonly attachment: Attachment,
    private readonly keeper: AttemptKeeper,
  ) {
    const ended = attachment.hello.held.filter(({ state }) => state === "done");
    this.unreported = new Set(ended.map(({ id }) => id));
    if (ended.length > 0) keeper.onHeld(attachment.node.name, ended.length);
  }

  /** Handles the report of an attempt that has ended. Logs of cancelled ones are kept elsewhere (RunningAttempts). */
  handle(done: DoneMessage): void {
    const { attachment, keeper } = this;
    if (isSuccess(done)) this.keeping.push(keeper.keepResult(attachment.node.name, done, attachment));
    else if (!done.cancelled && !done.lost) this.keeping.push(keeper.keepLogs(done, attachment));
    this.unreported.delete(done.id);
    if (this.unreported.size === 0) this.onAllReported();
  }

  /** Resolves when the agent has reported everything that it held, or when it does not. */
  async waitForReports(): Promise<void> {
    if (this.unreported.size === 0) return;
    const reported = new Promise<void>((resolve) => {
      this.onAllReported = resolve;
    });
    await resolveWithin(Promise.race([reported, this.attachment.agentEnded]), REPORT_TIMEOUT_MS);
  }

  /** Resolves when all results that were reported are kept, or cannot be. */
  async waitUntilKept(): Promise<void> {
    await Promise.all(this.keeping);
  }
}
