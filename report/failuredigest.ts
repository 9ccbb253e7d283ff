import type { Failure } from "../executor/schedule/events.js";
import { findFailureKind } from "../executor/schedule/halting/failurekind.js";
import { formatReason } from "./failurereason.js";
import { formatFailure, formatFailureHead } from "./failuretext.js";
import { formatCount } from "./format.js";

/** Kinds of failures that are counted separately; all others count as one kind. */
const MAX_KINDS = 1000;
/** So many failures of a kind have a line each. */
const MAX_EACH = 3;

/** Chooses what to print about the failures of a running run: all of the first, ever fewer of those that follow alike. */
export class FailureDigest {
  private readonly attempts = new Map<string, number>();
  private readonly chunks = new Map<string, number>();

  /** Returns the lines about an attempt that has failed; none where enough was printed about its like. */
  describeAttempt(failure: Failure): string[] {
    const count = increment(this.attempts, failure);
    const { chunk, node, slot, attempt } = failure;
    const line = `chunk ${chunk}: attempt ${attempt} failed on ${node} slot ${slot}: ${formatReason(failure)}`;
    return isShown(count) ? [`${line}${noteCount(count, "attempts")}`] : [];
  }

  /** Returns the lines about a chunk that is given up; none where enough was printed about its like. */
  describeChunk(failure: Failure): string[] {
    const count = increment(this.chunks, failure);
    if (count === 1) return formatFailure(failure);
    return isShown(count) ? [`${formatFailureHead(failure)}${noteCount(count, "chunks")}`] : [];
  }
}

function increment(counts: Map<string, number>, failure: Failure): number {
  const found = findFailureKind(failure);
  const kind = counts.has(found) || counts.size < MAX_KINDS ? found : "";
  const count = (counts.get(kind) ?? 0) + 1;
  counts.set(kind, count);
  return count;
}

/** Whether the failure with this number is shown: the first ones, then the 10th, 30th, 100th, and so on. */
function isShown(count: number): boolean {
  if (count <= MAX_EACH) return true;
  const scale = 10 ** Math.floor(Math.log10(count));
  return count === scale || count === 3 * scale;
}

function noteCount(count: number, what: string): string {
  return count <= MAX_EACH ? "" : ` (${formatCount(count)} ${what} have failed alike)`;
}
