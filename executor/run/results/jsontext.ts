/** What an output is, read as JSON. `offset`: of the first number that JSON does not have. */
export type ParsedOutput =
  | { readonly kind: "json"; readonly text: string }
  | { readonly kind: "notANumber"; readonly token: string; readonly offset: number }
  | { readonly kind: "text" };

/** A string, or a number that Python, JavaScript and others write into JSON though JSON does not have it. */
const STRING_OR_TOKEN = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

/**
 * Reads a text as one JSON value. A text that is JSON but for NaN, Infinity or -Infinity is JSON with null in their place if `nanAsNull`
 * says so; otherwise the first of them is returned.
 */
export function parseOutput(text: string, nanAsNull: boolean): ParsedOutput {
  if (isJson(text)) return { kind: "json", text };
  let first: { token: string; offset: number } | undefined;
  const replaced = text.replace(STRING_OR_TOKEN, (token, offset: number) => {
    if (token.startsWith('"')) return token;
    first ??= { token, offset };
    return "null";
  });
  if (first === undefined || !isJson(replaced)) return { kind: "text" };
  return nanAsNull ? { kind: "json", text: replaced } : { kind: "notANumber", ...first };
}

/** Explains where a text has a number that JSON does not have. `name`: of the output or its file. */
export function explainNotANumber(
  name: string,
  text: string,
  { token, offset }: { token: string; offset: number },
): string {
  const before = text.slice(0, offset).split("\n");
  return `${name}:${before.length}:${before.at(-1)!.length + 1}: ${token} is not JSON`;
}

/** What to do about such a number. */
export const NAN_ADVICE = "Add `nan_as_null: true` to the job to read it as null, or have the program write null.";

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
