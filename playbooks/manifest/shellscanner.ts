/** An assignment in a shell script. `value`: the word after the `=`, including quotes. */
export interface ShellAssignment {
  name: string;
  value: string;
  /** The offset of `value`. */
  start: number;
}

const BLANKS = " \t\r";
const OPERATORS = ";&|()\n<>";
/** A command follows after the first kind of words, a list of assignments after the second. */
const RESERVED_WORDS = new Set(["if", "then", "else", "elif", "do", "while", "until", "{", "!", "time"]);
const DECLARING_COMMANDS = new Set(["export", "readonly", "declare", "typeset", "local", "env"]);

/**
 * Finds the assignments that a shell would execute: not those in comments, quoted text, here-documents or arguments. Unterminated syntax,
 * such as an open quote, ends the search without an error.
 */
export function findAssignments(text: string): ShellAssignment[] {
  return new ShellScanner(text).read();
}

class ShellScanner {
  readonly #text: string;
  readonly #found: ShellAssignment[] = [];
  /** The delimiters of the here-documents that begin after this line. */
  #pending: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): ShellAssignment[] {
    let place: "command" | "declaration" | "argument" = "command";
    while (this.#at < this.#text.length) {
      const sign = this.#text[this.#at]!;
      if (BLANKS.includes(sign)) this.#at++;
      else if (sign === "#") this.#at = this.#endOfLine();
      else if (OPERATORS.includes(sign)) {
        if (!"<>".includes(sign)) place = "command";
        this.#operator(sign);
      } else {
        const start = this.#at;
        const word = this.#word();
        if (place === "argument") continue;
        if (this.#note(word, start) || (place === "command" && RESERVED_WORDS.has(word))) continue;
        if (place === "command") place = DECLARING_COMMANDS.has(word) ? "declaration" : "argument";
      }
    }
    return this.#found;
  }

  #note(word: string, start: number): boolean {
    const name = /^([A-Za-z_]\w*)\+?=/.exec(word);
    if (name === null) return false;
    const isPlain = !name[0].endsWith("+=") && this.#text[this.#at] !== "(";
    // An array or an appended value (`+=`) is not a literal value.
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
      // `((x << 2))` looks like a here-document, but no line ends it.
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
      if (BLANKS.includes(sign) || OPERATORS.includes(sign)) break;
      this.#at = findPieceEnd(this.#text, this.#at);
    }
    if (this.#at === start) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #endOfLine(): number {
    const end = this.#text.indexOf("\n", this.#at);
    return end < 0 ? this.#text.length : end;
  }
}

/** Returns the offset after the character, quoted text or expansion that begins at `at`. */
export function findPieceEnd(text: string, at: number): number {
  const sign = text[at];
  if (sign === "\\") return Math.min(at + 2, text.length);
  if (sign === "'") return findAfter(text, "'", at + 1);
  if (sign === '"' || sign === "`") return findClosing(text, at + 1, sign);
  if (sign === "$" && text[at + 1] === "'") return findClosing(text, at + 2, "'");
  if (sign === "$" && text[at + 1] === "{") return findClosing(text, at + 2, "}");
  if (sign === "$" && text[at + 1] === "(") return findClosing(text, at + 2, ")");
  return at + 1;
}

/** Returns the offset after the `end` that closes the text before `from`; skips quotes and expansions inside. */
function findClosing(text: string, from: number, end: string): number {
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
    else if (sign === "'") at = findAfter(text, sign, at + 1) - 1;
    else if (sign === '"' || sign === "`") open.push(sign);
    else if (inside === ")" && sign === "(") open.push(")");
  }
  return text.length;
}

function findAfter(text: string, sign: string, from: number): number {
  const end = text.indexOf(sign, from);
  return end < 0 ? text.length : end + 1;
}
