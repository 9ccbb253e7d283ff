import { duration, shortened } from "../format.js";
import { type Html, html } from "./html.js";
import type { Lane, Span } from "./spans.js";

/** Pixels: of the names at the left, of the lanes, of one lane, between two nodes, of the axis. */
const NAMES = 150;
const WIDTH = 1000;
const LANE = 12;
const GAP = 6;
const AXIS = 18;
/** Lanes that are drawn. */
const MOST = 512;

/** Lanes over time as SVG; `seconds`: of the whole run. Pure. */
export function timeline(lanes: Lane[], seconds: number): Html {
  const drawn = lanes.slice(0, MOST);
  const scale = WIDTH / Math.max(seconds, 0.001);
  const x = (at: number) => (NAMES + Math.min(at, seconds) * scale).toFixed(1);
  const parts: Html[] = [];
  let y = AXIS;
  for (const [index, lane] of drawn.entries()) {
    if (index > 0 && lane.node !== drawn[index - 1]!.node) y += GAP;
    const name = `${shortened(lane.node, 18)} ${lane.slot}`;
    parts.push(html`<text x="${NAMES - 6}" y="${y + LANE - 3}" text-anchor="end">${name}</text>`);
    parts.push(html`<rect class="lane" x="${NAMES}" y="${y}" width="${WIDTH}" height="${LANE - 2}"/>`);
    for (const span of lane.spans) parts.push(bar(span, x(span.from), Number(x(span.to)), y));
    for (const { at, title } of lane.failed)
      parts.push(html`<path class="failed" d="M${x(at)} ${y}v${LANE - 2}"><title>${title}</title></path>`);
    y += LANE;
  }
  const ticks = ticksOf(seconds).map(
    (at) =>
      html`<path class="tick" d="M${x(at)} ${AXIS - 4}V${y}"/><text x="${x(at)}" y="${AXIS - 7}" text-anchor="middle">${at === 0 ? "0" : duration(at)}</text>`,
  );
  const more = lanes.length > MOST ? html`<p>and ${lanes.length - MOST} more slots</p>` : "";
  const box = `0 0 ${NAMES + WIDTH + 30} ${y + 4}`;
  return html`<svg viewBox="${box}" role="img" aria-label="slots over time">
${[...ticks, ...parts]}
</svg>${more}`;
}

function bar({ what, title }: Span, left: string, right: number, y: number): Html {
  const width = Math.max(0.5, right - Number(left)).toFixed(1);
  return html`<rect class="${what}" x="${left}" y="${y}" width="${width}" height="${LANE - 2}"><title>${title}</title></rect>`;
}

/** Five to ten round times. */
function ticksOf(seconds: number): number[] {
  const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
  const step = steps.find((one) => seconds / one <= 10) ?? Math.ceil(seconds / 10 / 86400) * 86400;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
}
