import { countColumns, takeColumns } from "./columns.js";
import { toOneLine } from "./format.js";

/** What a part of a line means. The terminal decides on the colour. */
export type Tone = "plain" | "good" | "bad" | "quiet" | "strong";
export type StyledPart = readonly [text: string, tone: Tone];
/** Returns a text as the terminal shows this tone. */
export type Paint = (text: string, tone: Tone) => string;

/** Returns the columns of a line. Its parts are made printable first. */
export function countStyledColumns(parts: readonly StyledPart[]): number {
  return parts.reduce((sum, [text]) => sum + countColumns(toOneLine(text)), 0);
}

/** Returns the beginning of a line that fits into `width` columns, painted. Text from nodes cannot bring sequences of its own. */
export function paintLine(parts: readonly StyledPart[], width: number, paint: Paint): string {
  let left = width;
  let line = "";
  for (const [text, tone] of parts) {
    const shown = takeColumns(toOneLine(text), left);
    left -= countColumns(shown);
    if (shown !== "") line += paint(shown, tone);
  }
  return line;
}

/** Joins groups of parts with a separator; empty groups are left out. */
export function joinParts(groups: readonly (readonly StyledPart[])[], separator: string): StyledPart[] {
  return groups
    .filter((parts) => parts.length > 0)
    .flatMap((parts, index) => (index === 0 ? parts : [[separator, "plain"] as const, ...parts]));
}
