import { formatDuration, shortenMiddle } from "../format.js";
import { type Html, html } from "./html.js";
import type { Lane } from "./lanes.js";
import { renderImageLink } from "./loglinks.js";
import type { LaneSpan, SpanKind } from "./spans.js";

/** Lanes are drawn in this many units of width, and stretched to the width of the page. */
const WIDTH = 1000;
const HEIGHT = 10;
/** So that something very short can be seen. */
const MIN_WIDTHS: Partial<Record<SpanKind, number>> = { failed: 3, running: 3 };
const MIN_WIDTH = 0.5;
/** Further lanes are only counted. */
const MAX_LANES = 512;
/** On a narrow page, only every third label has room. */
const NARROW_STEP = 3;
/** Labels in the last part of the axis stand before their tick, so that they do not make the page wider. */
const LAST_SHARE = 0.85;

/** The start of a session. In seconds of active time. */
export interface TimelineBreak {
  at: number;
  title: string;
}

/**
 * Renders lanes below an axis: names in a column of text, and each lane as an image that stretches, so that the text keeps its size on a
 * narrow page. `seconds` is the active time. `logs`: as `renderLogLink` takes it. Pure.
 */
export function renderTimeline(lanes: Lane[], seconds: number, breaks: TimelineBreak[] = [], logs?: string): Html {
  const scale = 1 / Math.max(seconds, 0.001);
  const drawn = lanes.slice(0, MAX_LANES);
  const rows = drawn.map((lane, index) => {
    const isFirst = index > 0 && lane.group !== drawn[index - 1]!.group;
    return html`<span${isFirst ? html` class="first"` : ""}>${shortenMiddle(lane.name, 24)}</span>${renderLane(lane, scale, breaks, logs)}`;
  });
  const more = lanes.length > MAX_LANES ? html`<p>and ${lanes.length - MAX_LANES} more</p>` : "";
  return html`<div class="timeline" role="img" aria-label="timeline">
<span></span>${renderAxis(seconds, scale)}
${rows}
</div>${more}`;
}

function renderAxis(seconds: number, scale: number): Html {
  const labels = chooseTicks(seconds).map((at, index) => {
    const place = `left: ${(100 * at * scale).toFixed(2)}%`;
    const narrow = index % NARROW_STEP === 0 ? "tick" : "tick wide";
    const end = at * scale > LAST_SHARE ? " end" : "";
    return html`<i class="${narrow}${end}" style="${place}">${at === 0 ? "0" : formatDuration(at)}</i>`;
  });
  return html`<div class="axis">${labels}</div>`;
}

function renderLane({ spans }: Lane, scale: number, breaks: TimelineBreak[], logs: string | undefined): Html {
  const x = (at: number) => Math.min(1, Math.max(0, at * scale)) * WIDTH;
  const lines = breaks.map(
    ({ at, title }) => html`<path class="break" d="M${x(at).toFixed(1)} 0v${HEIGHT}"><title>${title}</title></path>`,
  );
  const drawn = spans.map((span) => renderImageLink(logs, span.chunk, renderSpan(span, x(span.from), x(span.to))));
  const parts = [...drawn, ...lines];
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none">${parts}</svg>`;
}

function renderSpan({ what, title }: LaneSpan, left: number, right: number): Html {
  const least = MIN_WIDTHS[what] ?? MIN_WIDTH;
  const width = Math.max(least, right - left);
  const from = Math.min(left, WIDTH - least).toFixed(1);
  return html`<rect class="${what}" x="${from}" width="${width.toFixed(1)}" height="${HEIGHT}"><title>${title}</title></rect>`;
}

/** Returns round times for the axis, about five to ten. */
function chooseTicks(seconds: number): number[] {
  const steps = [
    0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400,
  ];
  const step = steps.find((one) => seconds / one <= 10) ?? Math.ceil(seconds / 10 / 86400) * 86400;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
}
