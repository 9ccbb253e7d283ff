import type { Job } from "../../job/job.js";
import type { Attempt, Failure } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import type { Differing, Past } from "./past.js";

/** Failed chunks that are named in the summary; the journal has all of them. */
const NAMED = 100;

export interface NodeTally {
  chunks: number;
  units: bigint;
  failedAttempts: number;
  /** Slots that were taken out, why, and whether they are back. */
  out: Map<number, { reason: string; back: boolean; reboot?: true }>;
}

/** Counts of a run, so far. Their size does not grow with its length. */
export class Tally {
  /** Chunks committed, in all sessions and in this one. */
  chunks: number;
  fresh = 0;
  units: bigint;
  /** Attempts started in this session. */
  attempts = 0;
  failed = 0;
  /** Results of superseded attempts that were not taken. */
  dropped = 0;
  /** Attempts whose logs grew too long and were cut. */
  cutLogs = 0;
  /** Chunks that were computed again, those that could not be, and those whose results differ; in all sessions but `unchecked`. */
  checked: number;
  unchecked = 0;
  readonly differing: Differing[];
  readonly failures: Failure[] = [];
  readonly nodes = new Map<string, NodeTally>();
  readonly began = performance.now();
  /** Which coordinator of the run this is, from 1. */
  readonly session: number;

  constructor(
    readonly job: Job,
    past: Past,
    /** Hears of slots that get no work, `out` being why, and of those that get some again. */
    private readonly slot: (node: string, slot: number, out: string | undefined) => void = () => {},
  ) {
    this.session = past.session;
    this.chunks = past.chunks;
    this.units = past.done.size();
    this.checked = past.compared.size;
    this.differing = [...past.differing];
  }

  /** Seconds since this session began. */
  get seconds(): number {
    return (performance.now() - this.began) / 1000;
  }

  started(): void {
    this.attempts++;
  }

  committed(attempt: Attempt): void {
    const units = attempt.chunk.end - attempt.chunk.start;
    this.chunks++;
    this.fresh++;
    this.units += units;
    const node = this.of(attempt.node);
    node.chunks++;
    node.units += units;
  }

  /** What an attempt printed is here. */
  logged({ stdout, stderr }: DoneMessage): void {
    if ((stdout.cut ?? 0) + (stderr.cut ?? 0) > 0) this.cutLogs++;
  }

  failedAttempt({ node }: Pick<Attempt, "node">): void {
    this.of(node).failedAttempts++;
  }

  tookOut(node: string, slot: number, reason: string): void {
    this.of(node).out.set(slot, { reason, back: false });
    this.slot(node, slot, reason);
  }

  tookBack(node: string, slot: number): void {
    const out = this.of(node).out.get(slot);
    if (out === undefined) return;
    out.back = true;
    this.slot(node, slot, undefined);
  }

  /** Notes that a slot stays sick; false where that is noted already. */
  needsReboot(node: string, slot: number): boolean {
    const out = this.of(node).out.get(slot);
    if (out === undefined || out.reboot) return false;
    out.reboot = true;
    return true;
  }

  compared(differing: Differing | undefined): void {
    this.checked++;
    if (differing !== undefined) this.differing.push(differing);
  }

  /** Whether nothing failed and no two results differ. */
  get isWhole(): boolean {
    return this.failed === 0 && this.differing.length === 0;
  }

  gaveUp(failure: Failure): void {
    this.failed++;
    if (this.failures.length < NAMED) this.failures.push(failure);
  }

  of(node: string): NodeTally {
    let tally = this.nodes.get(node);
    if (tally === undefined) {
      tally = { chunks: 0, units: 0n, failedAttempts: 0, out: new Map() };
      this.nodes.set(node, tally);
    }
    return tally;
  }
}
