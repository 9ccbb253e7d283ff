import { drawSvg, escapeXml } from "./svg.js";

const COLUMN_WIDTH = 8;
const LINE_HEIGHT = 18;
const MARGIN = 12;
const STYLE = `rect { fill: #1b1f24; } text { fill: #d6dae0; font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre; }`;

/** Draws the lines of a terminal. Each line is stretched to its columns, whatever the width of the reader's font. Pure. */
export function drawTerminal(lines: readonly string[], columns: number, label: string): string {
  const size = { width: columns * COLUMN_WIDTH + 2 * MARGIN, height: lines.length * LINE_HEIGHT + 2 * MARGIN };
  const texts = lines.flatMap((line, index) => {
    if (line === "") return [];
    const y = MARGIN + (index + 0.75) * LINE_HEIGHT;
    const length = line.length * COLUMN_WIDTH;
    return [
      `<text x="${MARGIN}" y="${y}" textLength="${length}" lengthAdjust="spacingAndGlyphs" xml:space="preserve">${escapeXml(line)}</text>`,
    ];
  });
  return drawSvg(size, label, STYLE, [`<rect width="100%" height="100%" rx="6"/>`, ...texts]);
}
