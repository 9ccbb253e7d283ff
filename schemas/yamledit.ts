import { isAlias, isMap, isScalar, isSeq, type ParsedNode, parseDocument } from "yaml";

/** A scalar of a YAML text and its offsets, quotes included. */
export interface YamlScalar {
  kind: "text" | "integer" | "float" | "boolean" | "null";
  text: string;
  start: number;
  end: number;
}

const OPTIONS = { version: "1.2", schema: "core", intAsBigInt: true, prettyErrors: false, logLevel: "silent" } as const;

/** What `keys` lead to in a YAML text (`path`: their name in messages). The one scalar, or why there is none. */
export function readYamlScalars(
  text: string,
  keys: string[],
  path: string,
): { found: YamlScalar[] } | { problem: string } {
  const top = parsed(text);
  if ("problem" in top) return top;
  let node = top.node;
  for (const key of keys) node = child(node, key);
  if (isAlias(node)) return { problem: `has the alias *${node.source} at ${path}; name the place of &${node.source}` };
  if (node === undefined) return { problem: `has nothing at ${path}` };
  if (node !== null && !isScalar(node)) return { problem: `has a list or a mapping at ${path}, not a value` };
  if (node === null || node.range[0] === node.range[1]) return { problem: `has no value at ${path}` };
  const [start, end] = node.range;
  const source = node.source ?? text.slice(start, end);
  if (typeof node.value === "string") return { found: [{ kind: "text", text: node.value, start, end }] };
  if (typeof node.value === "bigint") return { found: [{ kind: "integer", text: source, start, end }] };
  if (typeof node.value === "number") return { found: [{ kind: "float", text: source, start, end }] };
  if (typeof node.value === "boolean") return { found: [{ kind: "boolean", text: source, start, end }] };
  return { found: [{ kind: "null", text: source, start, end }] };
}

/** A text in the style of `old`, the scalar as it is written now; a plain one gets quotes where it needs them. */
export function spellYamlScalar(text: string, old: string): string {
  const isPrintable = /^[\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]*$/.test(text);
  if (old.startsWith("'") && isPrintable) return `'${text.replaceAll("'", "''")}'`;
  if (/^[|>]/.test(old)) return `${JSON.stringify(text)}\n`;
  const isPlain = /^[\w./+@%-][\w./+@% -]*$/.test(text) && !text.endsWith(" ") && isText(text);
  return isPlain && !old.startsWith('"') ? text : JSON.stringify(text);
}

function isText(text: string): boolean {
  const top = parsed(text);
  return "node" in top && isScalar(top.node) && top.node.value === text;
}

function parsed(text: string): { node: ParsedNode | null | undefined } | { problem: string } {
  try {
    const document = parseDocument(text, OPTIONS);
    const [fault] = [...document.errors, ...document.warnings];
    if (fault === undefined) return { node: document.contents };
    const line = text.slice(0, fault.pos[0]).split("\n").length;
    return { problem: `is not YAML that can be changed: ${fault.message.split("\n")[0]} (line ${line})` };
  } catch (error) {
    if (error instanceof RangeError) return { problem: "is nested too deeply" };
    throw error;
  }
}

function child(node: ParsedNode | null | undefined, key: string): ParsedNode | null | undefined {
  if (isSeq(node)) return /^(0|[1-9]\d*)$/.test(key) ? (node.items[Number(key)] as ParsedNode | undefined) : undefined;
  if (!isMap(node)) return undefined;
  const pair = node.items.find((one) => isScalar(one.key) && String(one.key.source ?? one.key.value) === key);
  return pair === undefined ? undefined : ((pair.value ?? null) as ParsedNode | null);
}
