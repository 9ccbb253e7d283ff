/** Hostile text: a link, a cleared screen, colours, reordered text, half a character, markup, a forged line. */
export const HOSTILE = [
  "\u001b]8;;http://evil.example\u0007link\u001b]8;;\u0007\u001b[2J\r\u009b31m\u0000\u007f",
  "\u202e\u2066\u200b\u061c\u{e0041}\u2028\ud800",
  `"><script>alert("x")</script>&'日本`,
  "\nFORGED: complete\n",
  "x".repeat(5000),
].join("");

/** Characters that no text for people may contain. */
export const UNSAFE_CHARACTERS = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Returns what is unsafe in a text for a terminal; undefined where it is safe. */
export function findUnsafe(text: string): string | undefined {
  const found = UNSAFE_CHARACTERS.exec(text);
  if (found !== null) return `it has U+${found[0].codePointAt(0)!.toString(16)}`;
  const lines = text.split("\n");
  if (lines.some((line) => line.startsWith("FORGED"))) return "a line is forged";
  return lines.some((line) => line.length > 5000) ? "a line is too long" : undefined;
}

/** Yields copies of a value, each with one of its texts replaced, and the path of that text. Values of the keys `exact` are kept. */
export function* replaceEachText<T>(
  value: T,
  by: string,
  exact: ReadonlySet<string>,
): Generator<[path: string, copy: T]> {
  for (const path of textPaths(value, [], exact)) yield [path.join("."), withText(value, path, by) as T];
}

function* textPaths(value: unknown, path: string[], exact: ReadonlySet<string>): Generator<string[]> {
  if (typeof value === "string") yield path;
  if (typeof value !== "object" || value === null) return;
  for (const [key, one] of entriesOf(value)) if (!exact.has(key)) yield* textPaths(one, [...path, key], exact);
}

function entriesOf(value: object): [string, unknown][] {
  if (value instanceof Map) return [...value].map(([key, one]) => [`${key}`, one]);
  const own = Object.entries(value);
  // The message of an error is not enumerable.
  return value instanceof Error ? [...own, ["message", value.message]] : own;
}

function withText(value: unknown, path: string[], by: string): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  if (value instanceof Map)
    return new Map([...value].map(([name, one]) => [name, `${name}` === key ? withText(one, rest, by) : one]));
  if (Array.isArray(value)) return value.map((one, at) => (`${at}` === key ? withText(one, rest, by) : one));
  const object = value as Record<string, unknown>;
  const copy = Object.create(Object.getPrototypeOf(object), Object.getOwnPropertyDescriptors(object));
  Object.defineProperty(copy, key, { value: withText(object[key], rest, by), enumerable: true });
  return copy;
}
