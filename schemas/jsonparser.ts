import { OffsetTable } from "./offsettable.js";
import { isForbiddenKey, type ParsedText, toExactNumber } from "./source.js";

/** Something in a JSON text that is refused, at an offset. `syntax`: it is not JSON at all. */
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
 * Reads strict JSON. JSON.parse would round big integers, drop duplicate keys and forget places; the yaml package keeps
 * them but takes seconds for a jobs file of some megabytes.
 */
export function parseJson(text: string): ParsedText | JsonProblem {
  return catchJsonError(() => new JsonReader(text).read());
}

/**
 * Reads JSON lines as the file that they stand for. Where the first line has a `kind` it is a job, and the others are its tasks;
 * where it has an `id` all are tasks of a job that says nothing else; else they are the entries of a jobs file.
 */
export function parseJsonLines(text: string): ParsedText | JsonProblem {
  return catchJsonError(() => new JsonReader(text).readLines());
}

function catchJsonError(read: () => ParsedText): ParsedText | JsonProblem {
  try {
    return read();
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

class JsonReader {
  readonly #text: string;
  readonly #positions = new OffsetTable();
  readonly #texts: ParsedText["texts"] = new Map();
  /** Items of the lists that are not at their end: a list that grows would keep room for more. */
  readonly #items: unknown[] = [];
  #at = 0;
  #depth = 0;
  /** Of the value read last. */
  #block = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): ParsedText {
    this.#space();
    const value = this.#value();
    const block = this.#block;
    this.#space();
    if (this.#at < this.#text.length) this.#fail("nothing may follow the value");
    return { value, offsets: this.#positions, block, texts: this.#texts };
  }

  readLines(): ParsedText {
    const openedTop = this.#positions.open();
    this.#space();
    const start = this.#at;
    const first = this.#line();
    const isJob = Object.hasOwn(first, "kind");
    const list = isJob || Object.hasOwn(first, "id") ? "tasks" : "jobs";
    const top: Record<string, unknown> = isJob ? first : list === "tasks" ? { kind: "tasks" } : {};
    if (Object.hasOwn(top, list))
      throw new JsonError(start, `${list} are the lines below: this one may not have any`, false);
    if (isJob) this.#positions.addAll(first, this.#block);
    else if (list === "tasks") this.#positions.add("kind", start, start, 0);
    const openedList = this.#positions.open();
    const items: unknown[] = isJob ? [] : [first];
    if (!isJob) this.#positions.add(0, start, start, this.#block);
    for (this.#space(); this.#at < this.#text.length; this.#space()) {
      const itemStart = this.#at;
      items.push(this.#line());
      this.#positions.add(0, itemStart, itemStart, this.#block);
    }
    this.#block = this.#positions.close(openedList, items);
    if (items.length > 0 || top.kind === "tasks") {
      top[list] = items;
      this.#positions.add(list, start, start, this.#block);
    }
    const block = this.#positions.close(openedTop, top);
    return { value: top, offsets: this.#positions, block, texts: this.#texts };
  }

  /** A mapping, and nothing else in its line. */
  #line(): Record<string, unknown> {
    if (this.#text[this.#at] !== "{") this.#fail('a line is a mapping: a "{" is expected here');
    const value = this.#value() as Record<string, unknown>;
    LINE_END.lastIndex = this.#at;
    if (!LINE_END.test(this.#text)) this.#fail("nothing may follow the value in its line");
    return value;
  }

  #value(): unknown {
    const character = this.#text[this.#at];
    if (character === "{" || character === "[") return this.#nested(character);
    this.#block = 0;
    if (character === '"') return this.#string();
    if (this.#word("true")) return true;
    if (this.#word("false")) return false;
    if (this.#word("null")) return null;
    return this.#number();
  }

  #nested(character: "{" | "["): object {
    if (++this.#depth > MAX_JSON_DEPTH)
      throw new JsonError(this.#at, `nested deeper than ${MAX_JSON_DEPTH} levels`, false);
    this.#at++;
    const opened = this.#positions.open();
    const value = character === "{" ? this.#object() : this.#array();
    this.#block = this.#positions.close(opened, value);
    this.#depth--;
    return value;
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    if (this.#take("}")) return object;
    do {
      this.#space();
      const start = this.#at;
      if (this.#text[start] !== '"') this.#fail("a key in double quotes is expected here");
      const key = this.#string();
      if (isForbiddenKey(key)) throw new JsonError(start, `the key "${key}" is not allowed`, false);
      if (Object.hasOwn(object, key)) throw new JsonError(start, `the key "${key}" is there twice`, false);
      if (!this.#take(":")) this.#fail('a ":" is expected here');
      this.#space();
      const valueStart = this.#at;
      object[key] = this.#value();
      this.#positions.add(key, start, valueStart, this.#block);
    } while (this.#take(","));
    if (!this.#take("}")) this.#fail('a "," or "}" is expected here');
    return object;
  }

  #array(): unknown[] {
    if (this.#take("]")) return [];
    const from = this.#items.length;
    do {
      this.#space();
      const start = this.#at;
      this.#items.push(this.#value());
      this.#positions.add(0, start, start, this.#block);
    } while (this.#take(","));
    if (!this.#take("]")) this.#fail('a "," or "]" is expected here');
    const array = this.#items.slice(from);
    this.#items.length = from;
    return array;
  }

  #number(): number | bigint {
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

  #string(): string {
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
      value += this.#escape();
    }
  }

  #escape(): string {
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

  #space(): void {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
  }

  #take(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #fail(message: string): never {
    throw new JsonError(this.#at, message, true);
  }
}
