/**
 * Characters that control a terminal, or that hide or reorder the text around them: control characters (escape sequences begin with
 * one), format characters (BiDi overrides, zero-width characters, tags), line and paragraph separators, and lone surrogates.
 */
const UNSAFE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Escapes text from a node, a program or a file so that it is safe to display: every character of UNSAFE becomes `\xNN` or `\u{NNNN}`.
 * Line breaks and tabs stay; CR LF becomes a line break. Idempotent.
 */
export function escapeUnsafe(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!.toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u{${code}}`;
  });
}

/**
 * Formats a value as JSON that is safe to display: the characters of UNSAFE, which can occur inside strings only, are written as `\uNNNN`.
 * `replacer` and `indent`: as for JSON.stringify.
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
