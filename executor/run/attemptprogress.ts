import type { Attempt } from "../schedule/events.js";
import type { ProgressMessage } from "./agent/protocol.js";
import type { NodeWorker } from "./node/nodeworker.js";
import { monotonicSeconds } from "./timer.js";

/**
 * What a program has reported of its attempt: the next unit of its range, or the share that is done. `at`: when it last made progress,
 * in monotonic seconds.
 */
type Report = Readonly<{ at: number; text?: string } & ({ next: bigint } | { share: number })>;

/** How far an attempt is: the share (0 to 1) and units that are done, when the last of them was, and what its program says. */
export interface FoundProgress {
  share: number;
  /** Undefined where units are not what its program counts. */
  units?: bigint;
  at: number;
  text?: string;
}

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
      if (next !== undefined) this.keep(id, { at, text, next: BigInt(next) });
      else if (share !== undefined) this.keep(id, { at, text, share });
    }
  }

  /** An agent repeats a report to a new coordinator, and when only the text is another one. */
  private keep(id: string, report: Report): void {
    const before = this.byId.get(id);
    const isSame =
      before !== undefined &&
      ("next" in report
        ? "next" in before && before.next === report.next
        : "share" in before && before.share === report.share);
    this.byId.set(id, isSame ? { ...report, at: before.at } : report);
  }

  /** Returns how far an attempt is; undefined = unknown. */
  find({ id, chunk: { start, end } }: Attempt): FoundProgress | undefined {
    const report = this.byId.get(id);
    if (report === undefined) return undefined;
    const { at, text } = report;
    if ("share" in report) return { share: report.share, at, text };
    const units = report.next < start ? 0n : report.next > end ? end - start : report.next - start;
    return { share: Number(units) / Number(end - start), units, at, text };
  }

  /** Forgets the attempts that are no longer in flight. */
  prune(): void {
    for (const id of this.byId.keys()) if (this.findAttempt(id) === undefined) this.byId.delete(id);
  }
}
