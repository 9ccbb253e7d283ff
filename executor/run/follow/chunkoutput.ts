import { CarriageReturnFolder } from "../record/carriagereturns.js";
import type { LogStream } from "../record/logfiles.js";
import type { FollowedAttempt } from "./followevent.js";
import type { AttemptEnd } from "./followmessages.js";

/** An attempt whose output is shown. `outcome`: undefined while it runs, and where its result is not known. */
interface ShownAttempt extends FollowedAttempt {
  readonly id: string;
  hasEnded: boolean;
  outcome: AttemptEnd | undefined;
  /** Whether its failure is known from the journal. */
  isCounted: boolean;
  readonly positions: Record<LogStream, FoldedPosition>;
}

/** What is shown of a chunk: the output of one attempt after another, and of copies only that of the first. */
export class ChunkOutput {
  private shown: ShownAttempt | undefined;
  /** How many attempts were shown to their end that the journal does not have yet, by node and slot. */
  private readonly endedOn = new Map<string, number>();

  /** Begins to show an attempt, unless another one is shown that has not ended. Returns what the attempt is then. */
  begin({ id, chunk, node, slot }: FollowedAttempt & { id: string }): "new" | "known" | "copy" {
    if (this.shown?.id === id) return "known";
    if (this.isOpen) return "copy";
    const positions = { out: new FoldedPosition(), err: new FoldedPosition() };
    this.shown = { id, chunk, node, slot, hasEnded: false, outcome: undefined, isCounted: false, positions };
    return "new";
  }

  /** Whether this attempt is shown and has not ended. */
  isShown(id: string): boolean {
    return this.isOpen && this.shown?.id === id;
  }

  /** Notes what was shown. */
  add(stream: LogStream, bytes: Buffer): void {
    this.shown?.positions[stream].push(bytes);
  }

  /** Notes that the attempt has ended. `isWhole`: all of its output was shown. */
  end(outcome: AttemptEnd | undefined, isWhole: boolean): void {
    const { shown } = this;
    if (shown === undefined) return;
    shown.hasEnded = true;
    shown.outcome = outcome;
    if (!isWhole) this.shown = undefined;
    else if (!shown.isCounted) this.endedOn.set(placeKey(shown), (this.endedOn.get(placeKey(shown)) ?? 0) + 1);
  }

  /** Takes note of a failure that the journal has. Returns whether the attempt was, or is, shown. */
  noteFailure(place: Pick<FollowedAttempt, "node" | "slot">): boolean {
    const key = placeKey(place);
    const count = this.endedOn.get(key) ?? 0;
    if (count > 0) {
      this.endedOn.set(key, count - 1);
      return true;
    }
    if (this.shown === undefined || !this.isOpen || placeKey(this.shown) !== key) return false;
    this.shown.isCounted = true;
    return true;
  }

  /** Whether an attempt is shown that has not ended. */
  get isOpen(): boolean {
    return this.shown !== undefined && !this.shown.hasEnded;
  }

  /** The node of the attempt that is shown. */
  get node(): string | undefined {
    return this.shown?.node;
  }

  /** Whether all output of an attempt that has succeeded was shown. */
  get isComplete(): boolean {
    return this.shown?.hasEnded === true && this.shown.outcome !== undefined && hasSucceeded(this.shown.outcome);
  }

  /**
   * Returns at which byte of the collected log what was shown continues: at 0 where the attempt that was shown has no result. Of a line
   * that was not complete, all is shown again.
   */
  continuation(stream: LogStream): number {
    return this.shown === undefined || this.shown.outcome !== undefined ? 0 : this.shown.positions[stream].bytes;
  }
}

/** Whether an attempt has a result. */
export function hasSucceeded({ exit, timeout, cancelled, fault }: AttemptEnd): boolean {
  return exit === 0 && !timeout && !cancelled && fault === undefined;
}

function placeKey({ node, slot }: Pick<FollowedAttempt, "node" | "slot">): string {
  return JSON.stringify([node, slot]);
}

/** Counts the bytes of a log as it is kept: with lines folded that were overwritten. */
class FoldedPosition {
  bytes = 0;
  private readonly folder = new CarriageReturnFolder();

  push(bytes: Buffer): void {
    this.bytes += this.folder.push(bytes).length;
  }
}
