/** An assignment in a shell script: `value` is the word after the `=`, quotes and all. */
export interface Assignment {
  name: string;
  value: string;
  /** Offset of `value`. */
  start: number;
}

const BLANK = " \t\r";
const OPERATOR = ";&|()\n<>";
/** After these words a command begins, or a list of assignments. */
const RESERVED = new Set(["if", "then", "else", "elif", "do", "while", "until", "{", "!", "time"]);
const DECLARING = new Set(["export", "readonly", "declare", "typeset", "local", "env"]);

/**
 * The assignments of a script where a shell would carry them out: not in comments, texts, here-documents or arguments.
 * What is unfinished (a quote that never closes) ends the search; nothing is refused.
 */
export function assignments(text: string): Assignment[] {
  return new Script(text).read();
}

class Script {
  readonly #text: string;
  readonly #found: Assignment[] = [];
  /** Delimiters of the here-documents that begin after this line. */
  #pending: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Assignment[] {
    let place: "command" | "declaration" | "argument" = "command";
    while (this.#at < this.#text.length) {
      const sign = this.#text[this.#at]!;
      if (BLANK.includes(sign)) this.#at++;
      else if (sign === "#") this.#at = this.#endOfLine();
      else if (OPERATOR.includes(sign)) {
        if (!"<>".includes(sign)) place = "command";
        this.#operator(sign);
      } else {
        const start = this.#at;
        const word = this.#word();
        if (place === "argument") continue;
        if (this.#note(word, start) || (place === "command" && RESERVED.has(word))) continue;
        if (place === "command") place = DECLARING.has(word) ? "declaration" : "argument";
      }
    }
    return this.#found;
  }

  #note(word: string, start: number): boolean {
    const name = /^([A-Za-z_]\w*)\+?=/.exec(word);
    if (name === null) return false;
    const isPlain = !name[0].endsWith("+=") && this.#text[this.#at] !== "(";
    // A list, or something added to what was there before, is not a value of its own.
    const value = isPlain ? word.slice(name[0].length) : "$";
    this.#found.push({ name: name[1]!, value, start: start + name[0].length });
    return true;
  }

  #operator(sign: string): void {
    if (this.#text.startsWith("<<<", this.#at)) this.#at += 3;
    else if (this.#text.startsWith("<<", this.#at)) this.#hereDocument();
    else {
      this.#at++;
      if (sign === "\n") this.#skipDocuments();
    }
  }

  #hereDocument(): void {
    this.#at += this.#text[this.#at + 2] === "-" ? 3 : 2;
    while (" \t".includes(this.#text[this.#at] ?? "\n")) this.#at++;
    this.#pending.push(this.#word().replace(/['"\\]/g, ""));
  }

  #skipDocuments(): void {
    for (const delimiter of this.#pending) {
      // `((x << 2))` looks like one; then no line ends it.
      for (let line = this.#at; line < this.#text.length; ) {
        const end = this.#text.indexOf("\n", line);
        const stop = end < 0 ? this.#text.length : end;
        if (this.#text.slice(line, stop).trim() === delimiter) {
          this.#at = stop;
          break;
        }
        line = stop + 1;
      }
    }
    this.#pending = [];
  }

  #word(): string {
    const start = this.#at;
    while (this.#at < this.#text.length) {
      const sign = this.#text[this.#at]!;
      if (BLANK.includes(sign) || OPERATOR.includes(sign)) break;
      this.#at = pieceEnd(this.#text, this.#at);
    }
    if (this.#at === start) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #endOfLine(): number {
    const end = this.#text.indexOf("\n", this.#at);
    return end < 0 ? this.#text.length : end;
  }
}

/** The offset after the character, quoted text or expansion that begins at `at`. */
export function pieceEnd(text: string, at: number): number {
  const sign = text[at];
  if (sign === "\\") return Math.min(at + 2, text.length);
  if (sign === "'") return after(text, "'", at + 1);
  if (sign === '"' || sign === "`") return closing(text, at + 1, sign);
  if (sign === "$" && text[at + 1] === "'") return closing(text, at + 2, "'");
  if (sign === "$" && text[at + 1] === "{") return closing(text, at + 2, "}");
  if (sign === "$" && text[at + 1] === "(") return closing(text, at + 2, ")");
  return at + 1;
}

/** The offset after the `end` that closes what was opened before `from`; quotes and expansions inside are passed over. */
function closing(text: string, from: number, end: string): number {
  const open = [end];
  for (let at = from; at < text.length; at++) {
    const sign = text[at]!;
    const inside = open.at(-1)!;
    if (sign === "\\") at++;
    else if (sign === inside) {
      open.pop();
      if (open.length === 0) return at + 1;
    } else if (inside === "'") continue;
    else if (text.startsWith("${", at)) open.push("}");
    else if (text.startsWith("$(", at)) {
      open.push(")");
      at++;
    } else if (inside === '"' || inside === "`") continue;
    else if (sign === "'") at = after(text, sign, at + 1) - 1;
    else if (sign === '"' || sign === "`") open.push(sign);
    else if (inside === ")" && sign === "(") open.push(")");
  }
  return text.length;
}

function after(text: string, sign: string, from: number): number {
  const end = text.indexOf(sign, from);
  return end < 0 ? text.length : end + 1;
}
