import { drawSvg } from "./svg.js";

const WIDTH = 840;
const MARGIN = 12;
const NAME_WIDTH = 80;
const HEAD_HEIGHT = 94;
const LANE_HEIGHT = 14;
/** At most, of a text in the key. */
const CHARACTER_WIDTH = 6.4;
const OWN_STYLE = `
.paper { fill: var(--paper); } text { fill: var(--ink); font: 11px system-ui, "DejaVu Sans", sans-serif; } .title { font-size: 18px; font-weight: bold; }
.name { text-anchor: end; } .tick { stroke: var(--line); }`;

/**
 * Draws the title, the key and the timeline of a report page (`muster report --html`), with the page's own lanes and colours. The texts are
 * still escaped as in the page. Throws if the page has no timeline.
 */
export function drawReport(page: string): string {
  const title = /<h1>(.*?)<\/h1>/.exec(page)?.[1];
  const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1];
  const lanes = [...page.matchAll(/<span[^>]*>([^<]*)<\/span><svg ([^>]*)>([\s\S]*?)<\/svg>/g)];
  if (title === undefined || style === undefined || lanes.length === 0) throw new Error("the page has no timeline");
  const laneWidth = WIDTH - 2 * MARGIN - NAME_WIDTH;
  const left = MARGIN + NAME_WIDTH;
  const rows = lanes.map(([, name, attributes, spans], index) => {
    const y = HEAD_HEIGHT + index * LANE_HEIGHT;
    const place = `x="${left}" y="${y}" width="${laneWidth}" height="${LANE_HEIGHT - 3}"`;
    const drawn = spans!.replace(/<title>[\s\S]*?<\/title>/g, "");
    return `<text class="name" x="${left - 8}" y="${y + 9}">${name}</text><rect ${place} style="fill: var(--lane)"/><svg ${place} ${attributes}>${drawn}</svg>`;
  });
  const height = HEAD_HEIGHT + lanes.length * LANE_HEIGHT + MARGIN;
  const heading = `<text class="title" x="${MARGIN}" y="28">${title}</text>`;
  const parts = [
    `<rect class="paper" width="100%" height="100%"/>`,
    heading,
    ...drawKey(page),
    ...drawAxis(page, left, laneWidth),
    ...rows,
  ];
  return drawSvg({ width: WIDTH, height }, "The timeline of a report page", `${style}${OWN_STYLE}`, parts);
}

/** Draws what the colours mean, in lines as long as the picture. */
function drawKey(page: string): string[] {
  const names = [...page.matchAll(/<i style="background: (var\(--[\w-]+\))"><\/i>([^<]*)<\/span>/g)];
  let [x, y] = [MARGIN, 40];
  return names.map(([, color, name]) => {
    const width = 28 + name!.length * CHARACTER_WIDTH;
    if (x + width > WIDTH - MARGIN) [x, y] = [MARGIN, y + 16];
    const entry = `<rect x="${x}" y="${y}" width="10" height="10" style="fill: ${color}"/><text x="${x + 14}" y="${y + 9}">${name}</text>`;
    x += width;
    return entry;
  });
}

/** Draws the times above the lanes. */
function drawAxis(page: string, left: number, width: number): string[] {
  const ticks = [...page.matchAll(/<i class="tick[^"]*" style="left: ([\d.]+)%">([^<]*)<\/i>/g)];
  return ticks.map(([, share, time]) => {
    const x = (left + (Number(share) / 100) * width).toFixed(1);
    const end = Number(share) > 90 ? ` text-anchor="end" dx="-3"` : ` dx="3"`;
    return `<path class="tick" d="M${x} 78v12"/><text x="${x}" y="88"${end}>${time}</text>`;
  });
}
