import { OffsetTable } from "./offsettable.js";
import { isForbiddenKey, type ParsedText, toExactNumber } from "./source.js";

/** A problem in a JSON text, at an offset. `syntax`: the text is not JSON at all. */
export interface JsonProblem {
  offset: number;
  message: string;
  syntax: boolean;
}

const MAX_JSON_DEPTH = 100;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const SPACE = /[ \t\r\n]*/y;
const LINE_END = /[ \t\r]*(?:\n|$)/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings may not hold these
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Record<string, string> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/**
 * Parses strict JSON (RFC 8259). JSON.parse would round large integers, drop duplicate keys and lose positions; the yaml package keeps
 * them, but takes seconds for a jobs file of a few megabytes.
 */
export function parseJson(text: string): ParsedText | JsonProblem {
  return catchJsonError(() => new JsonParser(text).parse());
}

/**
 * Parses JSON lines into the file that they represent. If the first line has a `kind`, it is a job and the other lines are its tasks. If
 * it has an `id`, all lines are the tasks of a job without further keys. Otherwise the lines are the entries of a jobs file.
 */
export function parseJsonLines(text: string): ParsedText | JsonProblem {
  return catchJsonError(() => new JsonParser(text).parseLines());
}

/** Parses JSON lines, each of which is a task, into a list. */
export function parseTaskLines(text: string): ParsedText | JsonProblem {
  return catchJsonError(() => new JsonParser(text).parseTasks());
}

function catchJsonError(parse: () => ParsedText): ParsedText | JsonProblem {
  try {
    return parse();
  } catch (error) {
    if (error instanceof JsonError) return { offset: error.offset, message: error.message, syntax: error.syntax };
    throw error;
  }
}

class JsonError extends Error {
  readonly offset: number;
  readonly syntax: boolean;
  constructor(offset: number, message: string, syntax: boolean) {
    super(message);
    this.offset = offset;
    this.syntax = syntax;
  }
}

class JsonParser {
  readonly #text: string;
  readonly #offsets = new OffsetTable();
  readonly #texts: ParsedText["texts"] = new Map();
  /** A stack of the items of unfinished lists: arrays that grow one by one would keep spare capacity. */
  readonly #items: unknown[] = [];
  #at = 0;
  #depth = 0;
  /** The block of the value parsed last, in `#offsets`. */
  #block = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): ParsedText {
    this.#skipSpace();
    const value = this.#parseValue();
    const block = this.#block;
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail("nothing may follow the value");
    return { value, offsets: this.#offsets, block, texts: this.#texts };
  }

  parseLines(): ParsedText {
    const openedTop = this.#offsets.open();
    this.#skipSpace();
    const start = this.#at;
    const first = this.#parseLine();
    const isJob = Object.hasOwn(first, "kind");
    const list = isJob || Object.hasOwn(first, "id") ? "tasks" : "jobs";
    const top: Record<string, unknown> = isJob ? first : list === "tasks" ? { kind: "tasks" } : {};
    if (Object.hasOwn(top, list))
      throw new JsonError(
        start,
        `the lines below are the ${list}, so this line must not have the key "${list}"`,
        false,
      );
    if (isJob) this.#offsets.addAll(first, this.#block);
    else if (list === "tasks") this.#offsets.add("kind", start, start, 0);
    const openedList = this.#offsets.open();
    const items: unknown[] = isJob ? [] : [first];
    if (!isJob) this.#offsets.add(0, start, start, this.#block);
    for (this.#skipSpace(); this.#at < this.#text.length; this.#skipSpace()) {
      const itemStart = this.#at;
      items.push(this.#parseLine());
      this.#offsets.add(0, itemStart, itemStart, this.#block);
    }
    this.#block = this.#offsets.close(openedList, items);
    if (items.length > 0 || top.kind === "tasks") {
      top[list] = items;
      this.#offsets.add(list, start, start, this.#block);
    }
    const block = this.#offsets.close(openedTop, top);
    return { value: top, offsets: this.#offsets, block, texts: this.#texts };
  }

  parseTasks(): ParsedText {
    const opened = this.#offsets.open();
    const items: unknown[] = [];
    for (this.#skipSpace(); this.#at < this.#text.length; this.#skipSpace()) {
      const start = this.#at;
      items.push(this.#parseLine());
      this.#offsets.add(0, start, start, this.#block);
    }
    const block = this.#offsets.close(opened, items);
    return { value: items, offsets: this.#offsets, block, texts: this.#texts };
  }

  /** Parses a line that holds one mapping and nothing else. */
  #parseLine(): Record<string, unknown> {
    if (this.#text[this.#at] !== "{") this.#fail('a line is a mapping: a "{" is expected here');
    const value = this.#parseValue() as Record<string, unknown>;
    LINE_END.lastIndex = this.#at;
    if (!LINE_END.test(this.#text)) this.#fail("nothing may follow the value in its line");
    return value;
  }

  #parseValue(): unknown {
    const character = this.#text[this.#at];
    if (character === "{" || character === "[") return this.#parseContainer(character);
    this.#block = 0;
    if (character === '"') return this.#parseString();
    if (this.#consumeWord("true")) return true;
    if (this.#consumeWord("false")) return false;
    if (this.#consumeWord("null")) return null;
    return this.#parseNumber();
  }

  #parseContainer(character: "{" | "["): object {
    if (++this.#depth > MAX_JSON_DEPTH)
      throw new JsonError(this.#at, `nested deeper than ${MAX_JSON_DEPTH} levels`, false);
    this.#at++;
    const opened = this.#offsets.open();
    const value = character === "{" ? this.#parseObject() : this.#parseArray();
    this.#block = this.#offsets.close(opened, value);
    this.#depth--;
    return value;
  }

  #parseObject(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    if (this.#consume("}")) return object;
    do {
      this.#skipSpace();
      const start = this.#at;
      if (this.#text[start] !== '"') this.#fail("a key in double quotes is expected here");
      const key = this.#parseString();
      if (isForbiddenKey(key)) throw new JsonError(start, `the key "${key}" is not allowed`, false);
      if (Object.hasOwn(object, key)) throw new JsonError(start, `the key "${key}" is there twice`, false);
      if (!this.#consume(":")) this.#fail('a ":" is expected here');
      this.#skipSpace();
      const valueStart = this.#at;
      object[key] = this.#parseValue();
      this.#offsets.add(key, start, valueStart, this.#block);
    } while (this.#consume(","));
    if (!this.#consume("}")) this.#fail('a "," or "}" is expected here');
    return object;
  }

  #parseArray(): unknown[] {
    if (this.#consume("]")) return [];
    const from = this.#items.length;
    do {
      this.#skipSpace();
      const start = this.#at;
      this.#items.push(this.#parseValue());
      this.#offsets.add(0, start, start, this.#block);
    } while (this.#consume(","));
    if (!this.#consume("]")) this.#fail('a "," or "]" is expected here');
    const array = this.#items.slice(from);
    this.#items.length = from;
    return array;
  }

  #parseNumber(): number | bigint {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text);
    if (found === null) this.#fail("a value is expected here");
    const [text, fraction, exponent] = found as unknown as [string, string | undefined, string | undefined];
    const start = this.#at;
    this.#at += text.length;
    const isInteger = fraction === undefined && exponent === undefined;
    const value = isInteger && text.length > 15 ? toExactNumber(BigInt(text)) : Number(text);
    if (String(value) !== text) this.#texts.set(start, text);
    return Object.is(value, -0) ? 0 : value;
  }

  #parseString(): string {
    let value = "";
    for (this.#at++; ; ) {
      const start = this.#at;
      PLAIN_CHARACTERS.lastIndex = start;
      PLAIN_CHARACTERS.test(this.#text);
      this.#at = PLAIN_CHARACTERS.lastIndex;
      value += this.#text.slice(start, this.#at);
      const character = this.#text[this.#at++];
      if (character === '"') return value;
      if (character !== "\\") {
        this.#at--;
        this.#fail(character === undefined ? "the string does not end" : "a string may not hold this character");
      }
      value += this.#parseEscape();
    }
  }

  #parseEscape(): string {
    const character = this.#text[this.#at++] ?? "";
    const plain = ESCAPES[character];
    if (plain !== undefined) return plain;
    const code = this.#text.slice(this.#at, this.#at + 4);
    if (character !== "u" || !/^[0-9a-fA-F]{4}$/.test(code)) {
      this.#at--;
      this.#fail("this escape is not known");
    }
    this.#at += 4;
    return String.fromCharCode(Number.parseInt(code, 16));
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
  }

  #consume(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #consumeWord(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #fail(message: string): never {
    throw new JsonError(this.#at, message, true);
  }
}
