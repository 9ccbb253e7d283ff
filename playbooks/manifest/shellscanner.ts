import { findArithmeticEnd, findPieceEnd as findEndOfPiece, MAX_DEPTH } from "./shellsyntax.js";

/** An assignment in a shell script. `value`: the word after the `=`, including quotes. */
export interface ShellAssignment {
  name: string;
  value: string;
  /** The offset of `value`. */
  start: number;
}

const OPERATORS = ";&|()\n<>";
/** A command follows after the first kind of words, a list of assignments after the second. */
const RESERVED_WORDS = new Set(["if", "then", "else", "elif", "do", "while", "until", "{", "!", "time"]);
const DECLARING_COMMANDS = new Set(["export", "readonly", "declare", "typeset", "local", "env"]);
/** A name and `=` or `+=`. Line continuations may be anywhere in it. */
const ASSIGNMENT = /^([A-Za-z_](?:\w|\\\n)*)(\+?)(?:\\\n)*=/;

/**
 * Finds the assignments that a shell would execute: not those in comments, quoted text, here-documents, command substitutions or
 * arguments. Unterminated syntax, such as an open quote, ends the search without an error.
 */
export function findAssignments(text: string): ShellAssignment[] {
  return new ShellScanner(text, 0, 0).read();
}

/** Returns the offset after the character, quoted text or expansion that begins at `at`. */
export function findPieceEnd(text: string, at: number, depth = 0): number {
  return findEndOfPiece(text, at, skipCommands, depth);
}

function skipCommands(text: string, at: number, depth: number): number {
  if (depth > MAX_DEPTH) return text.length;
  const scanner = new ShellScanner(text, at, depth);
  scanner.read();
  return scanner.at;
}

interface HereDocument {
  delimiter: string;
  /** `<<-`: tabs before its lines are ignored. */
  hasTabs: boolean;
}

function isLastLine(line: string, { delimiter, hasTabs }: HereDocument): boolean {
  const content = line.replace(/\r$/, "");
  return (hasTabs ? content.replace(/^\t+/, "") : content) === delimiter;
}

class ShellScanner {
  at: number;
  readonly #text: string;
  /** How many substitutions it is in. In one, the `)` that closes it ends the search. */
  readonly #depth: number;
  readonly #found: ShellAssignment[] = [];
  /** The here-documents that begin after this line. */
  #pending: HereDocument[] = [];
  #openGroups = 0;
  /** `case` commands that have not ended: a `)` ends one of their patterns. */
  #openCases = 0;
  #place: "command" | "declaration" | "argument" = "command";

  constructor(text: string, at: number, depth: number) {
    this.#text = text;
    this.at = at;
    this.#depth = depth;
  }

  read(): ShellAssignment[] {
    while (this.at < this.#text.length) {
      const sign = this.#text[this.at]!;
      if (this.#isBlank()) this.at++;
      else if (this.#text.startsWith("\\\n", this.at)) this.at += 2;
      else if (sign === "#") this.at = this.#endOfLine();
      else if (!OPERATORS.includes(sign)) this.#readWord();
      else if (this.#operator(sign)) break;
    }
    return this.#found;
  }

  #readWord(): void {
    const start = this.at;
    const word = this.#word();
    const isDescriptor = /^\d+$/.test(word) && "<>".includes(this.#text[this.at] ?? " ");
    if (this.#place === "argument" || isDescriptor || this.#note(word, start)) return;
    if (this.#place !== "command") return;
    if (word === "case") this.#openCases++;
    if (word === "esac" && this.#openCases > 0) this.#openCases--;
    else if (!RESERVED_WORDS.has(word)) this.#place = DECLARING_COMMANDS.has(word) ? "declaration" : "argument";
  }

  #note(word: string, start: number): boolean {
    const name = ASSIGNMENT.exec(word);
    if (name === null) return false;
    const isArray = this.#text[this.at] === "(";
    // An array or an appended value (`+=`) is not a literal value.
    const value = isArray || name[2] === "+" ? "$" : word.slice(name[0].length);
    this.#found.push({ name: name[1]!.replaceAll("\\\n", ""), value, start: start + name[0].length });
    if (isArray) this.at = skipCommands(this.#text, this.at + 1, this.#depth + 1);
    return true;
  }

  /** Reads an operator. Returns whether it closes the substitution. */
  #operator(sign: string): boolean {
    const redirection = /^(?:&>>?|<<<|<<-?|<&|>&|<>|>>|>\||<|>)/.exec(this.#text.slice(this.at, this.at + 3))?.[0];
    if (redirection !== undefined) this.#redirect(redirection);
    else if (sign === ")" && this.#openGroups === 0 && this.#openCases === 0 && this.#depth > 0) {
      this.at++;
      return true;
    } else {
      const isCommand = this.#place === "command";
      this.#place = "command";
      this.at++;
      if (sign === "(") this.#openGroup(isCommand);
      if (sign === ")" && this.#openGroups > 0) this.#openGroups--;
      if (sign === "\n") this.#skipDocuments();
    }
    return false;
  }

  #openGroup(isCommand: boolean): void {
    const isDouble = isCommand && this.#text[this.at] === "(" && this.#openGroups < MAX_DEPTH;
    const arithmetic = isDouble ? findArithmeticEnd(this.#text, this.at + 1) : undefined;
    if (arithmetic === undefined) this.#openGroups++;
    else this.at = arithmetic;
  }

  #redirect(operator: string): void {
    this.at += operator.length;
    if (this.#text[this.at] === "(" && /^[<>]$/.test(operator)) {
      this.at = skipCommands(this.#text, this.at + 1, this.#depth + 1);
      return;
    }
    while (this.#isBlank()) this.at++;
    if (OPERATORS.includes(this.#text[this.at] ?? "\n")) return;
    const target = this.#word();
    if (/^<<-?$/.test(operator))
      this.#pending.push({ delimiter: target.replace(/['"\\]/g, ""), hasTabs: operator === "<<-" });
  }

  /** Skips the here-documents. One without its last line extends to the end of the text, as in bash. */
  #skipDocuments(): void {
    for (const document of this.#pending) {
      let isInside = true;
      while (isInside && this.at < this.#text.length) {
        const stop = this.#endOfLine();
        isInside = !isLastLine(this.#text.slice(this.at, stop), document);
        this.at = isInside ? stop + 1 : stop;
      }
    }
    this.#pending = [];
  }

  #word(): string {
    const start = this.at;
    while (this.at < this.#text.length) {
      if (this.#isBlank() || OPERATORS.includes(this.#text[this.at]!)) break;
      this.at = findPieceEnd(this.#text, this.at, this.#depth);
    }
    if (this.at === start) this.at++;
    return this.#text.slice(start, this.at);
  }

  /** A carriage return before a line break is one: files with CRLF line breaks are read as if they had none. */
  #isBlank(): boolean {
    const sign = this.#text[this.at];
    return sign === " " || sign === "\t" || (sign === "\r" && "\n".includes(this.#text[this.at + 1] ?? "\n"));
  }

  #endOfLine(): number {
    const end = this.#text.indexOf("\n", this.at);
    return end < 0 ? this.#text.length : end;
  }
}
