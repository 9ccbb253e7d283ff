/** What a scalar is in YAML 1.2. */
export type YamlKind = "text" | "integer" | "float" | "boolean" | "null";

/** How YAML 1.1 reads plain scalars: the rules of PyYAML and libyaml, which most programs use. */
const YAML_1_1_TYPES: [type: string, pattern: RegExp][] = [
  ["a boolean", /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/],
  ["an integer", /^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)$/],
  ["a float", /^[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?$/],
  ["a float", /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*$/],
  ["a float", /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/],
  ["nothing", /^(?:~|null|Null|NULL|)$/],
  ["a date", /^[0-9]{4}-[0-9]{2}-[0-9]{2}$|^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:/],
  ["a merge key", /^<<$/],
  ["a default value", /^=$/],
];
const TYPE_OF_KIND: Readonly<Record<YamlKind, string>> = {
  text: "a text",
  integer: "an integer",
  float: "a float",
  boolean: "a boolean",
  null: "nothing",
};

/** A text that no reader of any version takes for something else: a letter first, and none of the words below. */
const SAFE_TEXT = /^[A-Za-z_/]/;
const WORDS = /^(?:y|n|yes|no|on|off|true|false|null|nan|inf)$/i;

/** Whether a text means itself without quotes to readers of YAML 1.1 and 1.2, including readers that take more for numbers. */
export function isTextToAllReaders(text: string): boolean {
  return SAFE_TEXT.test(text) && !WORDS.test(text);
}

/**
 * Explains how a reader of YAML 1.1 takes a plain scalar; undefined if it reads the same value as a reader of YAML 1.2. `kind`: what it is
 * in YAML 1.2.
 */
export function explainYaml11(source: string, kind: YamlKind): string | undefined {
  const type = YAML_1_1_TYPES.find(([, pattern]) => pattern.test(source))?.[0] ?? "a text";
  if (type !== TYPE_OF_KIND[kind]) return `YAML 1.1 readers take it for ${type}`;
  // `012` is 10 in YAML 1.1, and 12 in YAML 1.2.
  return kind === "integer" && /^[-+]?0[0-9]/.test(source) ? "YAML 1.1 readers take it for octal" : undefined;
}

/**
 * Formats a float so that readers of YAML 1.1, which expect a point and the sign of the exponent, do not take it for a text: `1e3` becomes
 * `1.0e+3`. undefined if the text is no float.
 */
export function formatYamlFloat(text: string): string | undefined {
  if (/^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/.test(text)) return text;
  const parts = /^([-+]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([-+]?)([0-9]+))?$/.exec(text);
  if (parts === null || `${parts[2]}${parts[3] ?? ""}` === "") return undefined;
  const [, sign, whole, fraction, exponentSign, exponent] = parts;
  const tail = exponent === undefined ? "" : `e${exponentSign || "+"}${exponent}`;
  return `${sign}${whole || "0"}.${fraction || "0"}${tail}`;
}

/** Formats a text in double quotes. Characters that YAML does not allow, or reads as line breaks, are escaped. */
export function quoteYamlText(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
