/** All kinds of spans, in the order in which they are drawn: what stands later covers what stands earlier. */
export const SPAN_KINDS = ["away", "out", "superseded", "ran", "retried", "running", "failed"] as const;
export type SpanKind = (typeof SPAN_KINDS)[number];

/** A period of a lane, in seconds of the active time of the run. A `running` one has no end yet. */
export interface LaneSpan {
  from: number;
  to: number;
  what: SpanKind;
  title: string;
  /** The chunk whose attempt it is; undefined = it is no attempt, or several. */
  chunk?: string;
}

interface MergedSpan extends LaneSpan {
  count: number;
}

/**
 * Returns the spans of a lane as they are where there are at most `limit`. Else those that are shorter than 1/limit of `seconds` are merged
 * with their neighbours of the same kind, so that no more than about `limit` are left of each kind.
 */
export function limitSpans(spans: LaneSpan[], seconds: number, limit: number): LaneSpan[] {
  if (spans.length <= limit) return sortByKind(spans);
  const width = seconds / limit;
  const merged = new Map<string, MergedSpan>();
  const whole: LaneSpan[] = [];
  for (const span of spans) {
    if (span.to - span.from >= width) {
      whole.push(span);
      continue;
    }
    const key = `${span.what} ${Math.floor(span.from / width)}`;
    const found = merged.get(key);
    if (found === undefined) merged.set(key, { ...span, count: 1 });
    else {
      found.from = Math.min(found.from, span.from);
      found.to = Math.max(found.to, span.to);
      found.count++;
    }
  }
  const short = [...merged.values()].map(({ count, chunk, ...span }) =>
    count === 1 ? { ...span, chunk } : { ...span, title: `${count} attempts: ${NAMES[span.what]}` },
  );
  return sortByKind([...whole, ...short].sort((a, b) => a.from - b.from));
}

function sortByKind(spans: LaneSpan[]): LaneSpan[] {
  return SPAN_KINDS.flatMap((kind) => spans.filter(({ what }) => what === kind));
}

/** What the kinds of spans mean. */
export const NAMES: Record<SpanKind, string> = {
  ran: "ran a chunk",
  retried: "ran a chunk that had failed before",
  failed: "failed",
  superseded: "without a result of its own: superseded, requeued, or compared only",
  running: "not ended",
  out: "slot disabled",
  away: "node unreachable",
};
