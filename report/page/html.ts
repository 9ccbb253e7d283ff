import { printable } from "../format.js";

/** Text as it stands in a page, in an element or in an attribute's quotes: whatever it says, it stays text. */
export function escaped(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return printable(text).replace(/[&<>"']/g, (character) => entities[character]!);
}

/** A table; the cells of a row in the order of the heads, all of them plain text. */
export function table(heads: string[], rows: string[][]): string {
  const line = (tag: string, cells: string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<table>\n${[line("th", heads), ...rows.map((cells) => line("td", cells))].join("\n")}\n</table>`;
}
