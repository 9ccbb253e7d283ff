import { ConnectionError, type NodeStep } from "../connectionerror.js";
import type { Frame } from "./frames.js";

interface PendingAnswer {
  kinds: readonly number[];
  resolve(frame: Frame): void;
  reject(reason: string): void;
}

/** Whoever waits for an answer of the relay, by the number of its channel. */
export class PendingAnswers {
  private readonly pending = new Map<number, PendingAnswer>();

  /**
   * Waits for a frame of one of these kinds, and resolves with what `decode` makes of it, before a later frame is looked at. Rejects with
   * a ConnectionError: TIMEOUT after `seconds`, if given, or LOST.
   */
  wait<T>(
    where: NodeStep,
    number: number,
    kinds: readonly number[],
    decode: (frame: Frame) => T,
    seconds?: number,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = () => {
        clearTimeout(timer);
        this.pending.delete(number);
      };
      this.pending.set(number, {
        kinds,
        resolve: (frame) => {
          const value = decode(frame);
          settle();
          resolve(value);
        },
        reject: (reason) => {
          settle();
          reject(new ConnectionError("LOST", where, reason));
        },
      });
      if (seconds === undefined) return;
      timer = setTimeout(() => {
        settle();
        reject(new ConnectionError("TIMEOUT", where, `no answer within ${seconds} s`));
      }, seconds * 1000);
    });
  }

  /** Passes a frame to whoever waits for it, if anybody still does. Throws FrameError if it cannot be decoded. */
  resolve(frame: Frame): void {
    const pending = this.pending.get(frame.channel);
    if (pending?.kinds.includes(frame.kind)) pending.resolve(frame);
  }

  rejectAll(reason: string): void {
    for (const { reject } of [...this.pending.values()]) reject(reason);
  }
}
