/** Deeper nested expansions end the search: the functions here recurse, and a file of a node is not trusted. */
export const MAX_DEPTH = 50;

/** A longer text after `((` is taken for commands: a search for the end of each would take quadratic time. */
const MAX_ARITHMETIC_LENGTH = 1000;

/** Scans the commands from `at` to the `)` that closes their substitution. Returns the offset after it. */
type CommandSkipper = (text: string, at: number, depth: number) => number;

/**
 * Returns the offset after the character, quoted text or expansion that begins at `at`. `skipCommands` scans command substitutions, which
 * hold here-documents and comments that quotes and parentheses do not nest in.
 */
export function findPieceEnd(text: string, at: number, skipCommands: CommandSkipper, depth = 0): number {
  const find = new PieceFinder(text, skipCommands);
  return find.endOf(at, depth);
}

class PieceFinder {
  readonly #text: string;
  readonly #skipCommands: CommandSkipper;

  constructor(text: string, skipCommands: CommandSkipper) {
    this.#text = text;
    this.#skipCommands = skipCommands;
  }

  endOf(at: number, depth: number): number {
    const sign = this.#text[at];
    if (sign === "\\") return Math.min(at + 2, this.#text.length);
    if (sign === "'") return findAfter(this.#text, "'", at + 1);
    if (sign === '"' || sign === "`") return this.#quoteEnd(at + 1, sign, depth);
    if (sign === "$" && this.#text[at + 1] === "'") return this.#escapedQuoteEnd(at + 2);
    if (sign === "$") return this.#expansionEnd(at, depth) ?? at + 1;
    return at + 1;
  }

  /** After the expansion at a `$`; undefined: it is a `$` only, or `$NAME`. */
  #expansionEnd(at: number, depth: number): number | undefined {
    if (depth > MAX_DEPTH) return this.#text.length;
    if (this.#text[at + 1] === "{") return this.#parameterEnd(at + 2, depth + 1);
    if (this.#text[at + 1] !== "(") return undefined;
    const arithmetic = this.#text[at + 2] === "(" ? findArithmeticEnd(this.#text, at + 3) : undefined;
    return arithmetic ?? this.#skipCommands(this.#text, at + 2, depth + 1);
  }

  #quoteEnd(from: number, quote: string, depth: number): number {
    for (let at = from; at < this.#text.length; ) {
      const sign = this.#text[at];
      if (sign === quote) return at + 1;
      if (sign === "\\") at += 2;
      else at = (sign === "$" && quote === '"' ? this.#expansionEnd(at, depth) : undefined) ?? at + 1;
    }
    return this.#text.length;
  }

  #escapedQuoteEnd(from: number): number {
    for (let at = from; at < this.#text.length; at++) {
      if (this.#text[at] === "'") return at + 1;
      if (this.#text[at] === "\\") at++;
    }
    return this.#text.length;
  }

  /** After the `}` of `${...`. */
  #parameterEnd(from: number, depth: number): number {
    for (let at = from; at < this.#text.length; ) {
      if (this.#text[at] === "}") return at + 1;
      at = this.endOf(at, depth);
    }
    return this.#text.length;
  }
}

/** Returns the offset after the `))` of an arithmetic expression; undefined if a `)` alone closes it, because it holds commands. */
export function findArithmeticEnd(text: string, from: number): number | undefined {
  const end = Math.min(text.length, from + MAX_ARITHMETIC_LENGTH);
  let open = 0;
  for (let at = from; at < end; at++) {
    if (text[at] === "(") open++;
    else if (text[at] === ")" && open > 0) open--;
    else if (text[at] === ")") return text[at + 1] === ")" ? at + 2 : undefined;
  }
  return undefined;
}

function findAfter(text: string, sign: string, from: number): number {
  const end = text.indexOf(sign, from);
  return end < 0 ? text.length : end + 1;
}
