import type { GpuDescription } from "../../../fleet/gpus/gpugroups.js";
import type { Job } from "../../job/job.js";
import type { Attempt } from "../../schedule/events.js";
import type { Attachment } from "./attachment.js";
import { findExceededLimit } from "./exceededlimit.js";
import type { NodeEvent } from "./nodeevent.js";

/** What an attempt is started through. */
export type StartingAttachment = Pick<Attachment, "stageFiles" | "sendStart" | "files" | "root">;

/**
 * Starts attempts on one node once their files are there. Until then the agent does not know them, so an attempt that is withdrawn or
 * cancelled in the meantime is stopped here.
 */
export class AttemptLauncher {
  private readonly staging = new Set<string>();

  constructor(
    private readonly job: Job,
    private readonly node: GpuDescription,
    private readonly emit: (event: NodeEvent) => void,
  ) {}

  /** Starts an attempt: at once where its files are staged already. One with a parameter that the node must not get is refused a moment later. */
  start(attachment: StartingAttachment, attempt: Attempt): void {
    const reason = findExceededLimit(this.node, attempt.chunk.params ?? {});
    if (reason !== undefined) return queueMicrotask(() => this.emit({ type: "startRefused", attempt, reason }));
    const staged = attachment.stageFiles(attempt.chunk);
    if (staged === undefined) return attachment.sendStart(this.job, attempt);
    this.staging.add(attempt.id);
    staged.then(
      () => {
        if (this.staging.delete(attempt.id)) attachment.sendStart(this.job, attempt);
      },
      (error) => {
        if (this.staging.delete(attempt.id)) this.emit({ type: "stagingFailed", attempt, source: attachment, error });
      },
    );
  }

  /** Ends the attempts that wait for their files; others are not affected. They are reported a moment later, not during the call. */
  withdraw(ids: readonly string[]): void {
    for (const attempt of ids)
      if (this.staging.delete(attempt)) queueMicrotask(() => this.emit({ type: "requeued", attempt }));
  }
}
