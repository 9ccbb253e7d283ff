/**
 * Characters that a terminal obeys, or that hide or reorder the text around them: control characters (escape sequences begin with
 * one), format characters (BiDi overrides, zero-width characters, tags), line and paragraph separators, and lone surrogates.
 */
const UNSAFE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Text from a node, a program or a file, made safe to show: every character of UNSAFE becomes `\xNN` or `\u{NNNN}`. Line breaks and
 * tabs stay, and CR LF is a line break. Applying it twice changes nothing more.
 */
export function escapeUnsafe(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!.toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u{${code}}`;
  });
}

/**
 * A value as JSON that means exactly that value and is safe to show: the characters of UNSAFE, which can only stand inside strings,
 * are written as `\uNNNN`. `replacer` and `indent`: as for JSON.stringify.
 */
export function formatJson(
  value: unknown,
  indent?: number,
  replacer?: (key: string, value: unknown) => unknown,
): string {
  return JSON.stringify(value, replacer, indent).replace(UNSAFE, (character) =>
    Array.from({ length: character.length }, (_, at) => unicodeEscape(character.charCodeAt(at))).join(""),
  );
}

function unicodeEscape(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}
