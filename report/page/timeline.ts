import { formatDuration, shortenMiddle } from "../format.js";
import { type Html, html } from "./html.js";
import type { LaneSpan, SlotLane } from "./lanes.js";

const NAMES_PX = 150;
const LANES_WIDTH_PX = 1000;
const LANE_HEIGHT_PX = 12;
const NODE_GAP_PX = 6;
const AXIS_HEIGHT_PX = 18;
/** Further lanes are only counted. */
const MAX_LANES = 512;

/** Renders the lanes as SVG. `seconds` is the active time of the run. Pure. */
export function renderTimeline(lanes: SlotLane[], seconds: number): Html {
  const drawn = lanes.slice(0, MAX_LANES);
  const scale = LANES_WIDTH_PX / Math.max(seconds, 0.001);
  const x = (at: number) => (NAMES_PX + Math.min(at, seconds) * scale).toFixed(1);
  const parts: Html[] = [];
  let y = AXIS_HEIGHT_PX;
  for (const [index, lane] of drawn.entries()) {
    if (index > 0 && lane.node !== drawn[index - 1]!.node) y += NODE_GAP_PX;
    const name = `${shortenMiddle(lane.node, 18)} ${lane.slot}`;
    parts.push(html`<text x="${NAMES_PX - 6}" y="${y + LANE_HEIGHT_PX - 3}" text-anchor="end">${name}</text>`);
    parts.push(
      html`<rect class="lane" x="${NAMES_PX}" y="${y}" width="${LANES_WIDTH_PX}" height="${LANE_HEIGHT_PX - 2}"/>`,
    );
    for (const span of lane.spans) parts.push(renderSpan(span, x(span.from), Number(x(span.to)), y));
    for (const { at, title } of lane.failed)
      parts.push(html`<path class="failed" d="M${x(at)} ${y}v${LANE_HEIGHT_PX - 2}"><title>${title}</title></path>`);
    y += LANE_HEIGHT_PX;
  }
  const ticks = chooseTicks(seconds).map(
    (at) =>
      html`<path class="tick" d="M${x(at)} ${AXIS_HEIGHT_PX - 4}V${y}"/><text x="${x(at)}" y="${AXIS_HEIGHT_PX - 7}" text-anchor="middle">${at === 0 ? "0" : formatDuration(at)}</text>`,
  );
  const more = lanes.length > MAX_LANES ? html`<p>and ${lanes.length - MAX_LANES} more slots</p>` : "";
  const box = `0 0 ${NAMES_PX + LANES_WIDTH_PX + 30} ${y + 4}`;
  return html`<svg viewBox="${box}" role="img" aria-label="slots over time">
${[...ticks, ...parts]}
</svg>${more}`;
}

function renderSpan({ what, title }: LaneSpan, left: string, right: number, y: number): Html {
  const width = Math.max(0.5, right - Number(left)).toFixed(1);
  return html`<rect class="${what}" x="${left}" y="${y}" width="${width}" height="${LANE_HEIGHT_PX - 2}"><title>${title}</title></rect>`;
}

/** Returns round times for the axis, about five to ten. */
function chooseTicks(seconds: number): number[] {
  const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
  const step = steps.find((one) => seconds / one <= 10) ?? Math.ceil(seconds / 10 / 86400) * 86400;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
}
