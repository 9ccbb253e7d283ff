import { type FSWatcher, watch } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import type { Coordinator } from "../coordinator.js";
import type { RunReplay } from "../record/replay.js";
import { closeIdleQueue, type RunQueue } from "./addtasks.js";
import type { QueueChange, QueueFollower } from "./queuefollower.js";
import { QUEUE_FILE } from "./queuerecord.js";

/** How often the file is looked at where the system does not tell of a change. */
const POLL_MS = 1000;

/** What a watch needs beside the queue. `isAwaited`: whether tasks are still to come from a program that was asked for them. */
export interface QueueWatchHooks {
  readonly notice: (message: string) => void;
  readonly isAwaited: () => boolean;
}

/** Tells the coordinator of a run what happens to its queue, and closes one that has had no work for as long as its job says. */
export class QueueWatch {
  private watcher: FSWatcher | undefined;
  private timer: NodeJS.Timeout | undefined;
  private idleSince: number | undefined;
  private isClosing = false;

  /** `replay`: of the run as it was opened. */
  constructor(
    private readonly queue: RunQueue,
    private readonly follower: QueueFollower,
    private readonly coordinator: Coordinator,
    private readonly replay: RunReplay,
    private readonly hooks: QueueWatchHooks,
  ) {}

  /** Tells of `earlier`, what was read when the run was opened, and then of what comes until `stop`. */
  start(earlier: readonly QueueChange[]): void {
    for (const change of earlier) if (change.type === "cancelled") this.cancel(change.unit);
    try {
      this.watcher = watch(this.queue.path, (_, name) => {
        if (name === QUEUE_FILE) this.look();
      });
      this.watcher.on("error", () => this.watcher?.close());
      this.watcher.unref();
    } catch {
      // Some file systems cannot tell of changes.
    }
    this.timer = setInterval(() => this.look(), POLL_MS);
    this.look();
  }

  stop(): void {
    this.watcher?.close();
    clearInterval(this.timer);
  }

  private look(): void {
    try {
      for (const change of this.follower.read()) this.tell(change);
    } catch (error) {
      this.stop();
      return this.coordinator.end({ state: "broken", error });
    }
    this.closeIfIdle();
  }

  private tell(change: QueueChange): void {
    switch (change.type) {
      case "added":
        return this.coordinator.event({ type: "unitsAdded", start: change.start, end: change.end });
      case "cancelled":
        return this.cancel(change.unit);
      case "closed":
        if (change.by === "idle") this.hooks.notice(describeIdleClose(this.queue.job));
        return this.coordinator.event({ type: "queueClosed" });
      default:
        return change satisfies never;
    }
  }

  private cancel(unit: bigint): void {
    const { committedUnits, cancelledUnits } = this.replay;
    if (committedUnits.overlaps(unit, unit + 1n) || cancelledUnits.overlaps(unit, unit + 1n)) return;
    this.coordinator.event({ type: "unitCancelled", unit });
  }

  private closeIfIdle(): void {
    const { idleSeconds, isOpen = false } = this.queue.job.queue ?? {};
    const { scheduler } = this.coordinator;
    // Before a node is there, nobody could know that there is no work.
    if (
      idleSeconds === undefined ||
      !isOpen ||
      !scheduler.isIdle ||
      scheduler.view.usableSlots === 0 ||
      this.hooks.isAwaited()
    ) {
      this.idleSince = undefined;
      return;
    }
    this.idleSince ??= performance.now();
    if (this.isClosing || performance.now() - this.idleSince < idleSeconds * 1000) return;
    this.isClosing = true;
    void closeIdleQueue(this.queue, this.follower.lengthBytes)
      .then(
        () => this.look(),
        (error) => {
          // Whoever holds the queue may be adding tasks.
          if ((error as MusterError).code !== "HELD") this.coordinator.end({ state: "broken", error });
        },
      )
      .then(() => sleep(POLL_MS))
      .finally(() => {
        this.isClosing = false;
      });
  }
}

function describeIdleClose({ queue }: Job): string {
  return `the queue is closed, because it had no work for ${queue?.idleSeconds} s (\`idle\` of the job)`;
}
