import { drawSvg, escapeXml } from "./svg.js";

const WIDTH = 840;
const LABEL_WIDTH = 330;
const VALUE_WIDTH = 60;
const BAR_HEIGHT = 24;
const HEAD_HEIGHT = 44;
const MARGIN = 12;
const STYLE = `
:root { --ink: #222; --paper: #fff; --muster: #4878a8; --other: #e0a030; }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --paper: #181818; } }
.paper { fill: var(--paper); } text { fill: var(--ink); font: 13px system-ui, "DejaVu Sans", sans-serif; } .title { font-weight: bold; }
.muster { fill: var(--muster); } .other { fill: var(--other); } .name { text-anchor: end; }`;

/** How many chunks a second one contestant of bench:dispatch made. */
export interface DispatchFigure {
  name: string;
  chunksPerSecond: number;
}

/** Reads the medians of the table "dispatch" of bench/README.md. Throws if there is no such table. */
export function readDispatchTable(text: string): DispatchFigure[] {
  const table = /^\| dispatch \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(text)?.[1];
  if (table === undefined) throw new Error("bench/README.md has no table of dispatch");
  return table
    .trim()
    .split("\n")
    .map((row) => {
      const [, name, , rates] = row.split("|").map((cell) => cell.trim());
      const sorted = rates!
        .split(",")
        .map(Number)
        .sort((a, b) => a - b);
      return { name: name!, chunksPerSecond: sorted[Math.floor((sorted.length - 1) / 2)]! };
    });
}

/** Draws the figures as bars from 0, with their values. Pure. */
export function drawDispatch(figures: readonly DispatchFigure[]): string {
  const most = Math.max(...figures.map((one) => one.chunksPerSecond));
  const room = WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH;
  const left = MARGIN + LABEL_WIDTH;
  const bars = figures.map(({ name, chunksPerSecond }, index) => {
    const y = HEAD_HEIGHT + index * BAR_HEIGHT;
    const width = Math.max(1, (room * chunksPerSecond) / most).toFixed(1);
    const kind = name.startsWith("muster") ? "muster" : "other";
    return `<text class="name" x="${left - 8}" y="${y + 14}">${escapeXml(name)}</text><rect class="${kind}" x="${left}" y="${y + 2}" width="${width}" height="${BAR_HEIGHT - 8}"/><text x="${(left + Number(width) + 6).toFixed(1)}" y="${y + 14}">${chunksPerSecond}</text>`;
  });
  const title = "Chunks a second, from start to end, on 4 nodes of 8 slots";
  const head = `<text class="title" x="${MARGIN}" y="26">${title}</text>`;
  const size = { width: WIDTH, height: HEAD_HEIGHT + figures.length * BAR_HEIGHT + MARGIN };
  return drawSvg(size, title, STYLE, [`<rect class="paper" width="100%" height="100%"/>`, head, ...bars]);
}
