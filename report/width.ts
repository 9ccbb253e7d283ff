import { eastAsianWidth } from "get-east-asian-width";

/** A character with the marks that combine with it, so that a cut never separates them. */
const CLUSTER = /\P{M}\p{M}*|\p{M}+/gsu;
/** It asks for the emoji form of the character before it, which is wide. */
const EMOJI_FORM = "\ufe0f";

/** The columns that a printable text takes in a terminal: two for each wide character (CJK, emoji), none for a combining mark. */
export function columnsOf(text: string): number {
  if (isAscii(text)) return text.length;
  return clusters(text).reduce((sum, cluster) => sum + widthOf(cluster), 0);
}

/** The beginning of a printable text, in at most `width` columns. */
export function firstColumns(text: string, width: number): string {
  if (isAscii(text)) return text.slice(0, Math.max(0, width));
  return upTo(clusters(text), width).join("");
}

/** The end of a printable text, in at most `width` columns. */
export function lastColumns(text: string, width: number): string {
  if (isAscii(text)) return text.slice(text.length - Math.min(text.length, Math.max(0, width)));
  return upTo(clusters(text).reverse(), width).reverse().join("");
}

/** A printable text with spaces behind it, up to `width` columns. */
export function padEndColumns(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - columnsOf(text)));
}

function isAscii(text: string): boolean {
  return /^[\t\n -~]*$/.test(text);
}

function clusters(text: string): string[] {
  return text.match(CLUSTER) ?? [];
}

function upTo(parts: string[], width: number): string[] {
  let used = 0;
  const end = parts.findIndex((part) => {
    used += widthOf(part);
    return used > width;
  });
  return end < 0 ? parts : parts.slice(0, end);
}

function widthOf(cluster: string): number {
  if (/^\p{Mn}|^\p{Me}/u.test(cluster)) return 0;
  return cluster.includes(EMOJI_FORM) ? 2 : eastAsianWidth(cluster.codePointAt(0)!);
}
