import type { Attempt } from "../schedule/events.js";
import type { ProgressMessage } from "./agent/protocol.js";
import type { NodeWorker } from "./node/nodeworker.js";
import { monotonicSeconds } from "./timer.js";

/** What a program has reported of its attempt: the next unit of its range, or the share that is done. `at`: monotonic seconds. */
type Report = { at: number; text?: string } & ({ next: bigint } | { share: number });

/** The progress that attempts in flight have reported. */
export class AttemptProgress {
  private readonly byId = new Map<string, Report>();

  /** `findAttempt` returns the attempt in flight with this id. */
  constructor(private readonly findAttempt: (id: string) => Attempt | undefined) {}

  /** Keeps what the agent of a node reports about attempts there. Refuses a node that reports one of another node. */
  receive(worker: NodeWorker, { attempts }: ProgressMessage): void {
    const at = monotonicSeconds();
    for (const { id, next, share, text } of attempts) {
      const attempt = this.findAttempt(id);
      if (attempt === undefined) continue; // It has ended meanwhile.
      if (attempt.node !== worker.node.name)
        return worker.refuseForViolation(`it reports the progress of attempt ${id} of another node`);
      if (next !== undefined) this.byId.set(id, { at, text, next: BigInt(next) });
      else if (share !== undefined) this.byId.set(id, { at, text, share });
    }
  }

  /**
   * Returns the share (0 to 1) that is done of an attempt, when it was reported, in monotonic seconds, and what its program says;
   * undefined = unknown.
   */
  find({ id, chunk: { start, end } }: Attempt): { share: number; at: number; text?: string } | undefined {
    const report = this.byId.get(id);
    if (report === undefined) return undefined;
    const share = "share" in report ? report.share : Number(report.next - start) / Number(end - start);
    return { share: Math.min(1, Math.max(0, share)), at: report.at, text: report.text };
  }

  /** Forgets the attempts that are no longer in flight. */
  prune(): void {
    for (const id of this.byId.keys()) if (this.findAttempt(id) === undefined) this.byId.delete(id);
  }
}
