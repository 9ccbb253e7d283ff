import { eastAsianWidth } from "get-east-asian-width";

/** Texts are laid out for a terminal of this width. */
export const TERMINAL_COLUMNS = 80;

/** A character with its combining marks, which must not be separated. */
const CLUSTER = /\P{M}\p{M}*|\p{M}+/gsu;
/** Selects the emoji form of the preceding character, which is wide. */
const EMOJI_VARIATION_SELECTOR = "\ufe0f";

/** Returns the terminal columns of a printable text: two for a wide character (CJK, emoji), none for a combining mark. */
export function countColumns(text: string): number {
  if (isAscii(text)) return text.length;
  return splitClusters(text).reduce((sum, cluster) => sum + clusterColumns(cluster), 0);
}

/** Returns the beginning of a printable text that fits into `width` columns. */
export function takeColumns(text: string, width: number): string {
  if (isAscii(text)) return text.slice(0, Math.max(0, width));
  return takeClusters(splitClusters(text), width).join("");
}

/** Returns the end of a printable text that fits into `width` columns. */
export function takeLastColumns(text: string, width: number): string {
  if (isAscii(text)) return text.slice(text.length - Math.min(text.length, Math.max(0, width)));
  return takeClusters(splitClusters(text).reverse(), width).reverse().join("");
}

/** Returns a printable text, padded with spaces at its end to `width` columns. */
export function padToColumns(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - countColumns(text)));
}

function isAscii(text: string): boolean {
  return /^[\t\n -~]*$/.test(text);
}

function splitClusters(text: string): string[] {
  return text.match(CLUSTER) ?? [];
}

function takeClusters(parts: string[], width: number): string[] {
  let used = 0;
  const end = parts.findIndex((part) => {
    used += clusterColumns(part);
    return used > width;
  });
  return end < 0 ? parts : parts.slice(0, end);
}

function clusterColumns(cluster: string): number {
  if (/^\p{Mn}|^\p{Me}/u.test(cluster)) return 0;
  return cluster.includes(EMOJI_VARIATION_SELECTOR) ? 2 : eastAsianWidth(cluster.codePointAt(0)!);
}
