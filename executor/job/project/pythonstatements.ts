const TOKEN = /#[^\n]*|"""|'''|["']|\\\n|[()[\]{}\n:;]/g;

/**
 * Splits Python source into simple statements and the heads of compound ones, each on one line: continued lines are joined, comments are
 * dropped, and strings become `""`. Source that Python would reject is split as well as possible.
 */
export function splitStatements(source: string): string[] {
  const text = source.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
  const statements: string[] = [];
  let statement = "";
  let depth = 0;
  let at = 0;
  for (let token = findToken(text, at); token !== undefined; token = findToken(text, at)) {
    statement += text.slice(at, token.index);
    at = token.index + token.text.length;
    const [first] = token.text;
    if (first === '"' || first === "'") {
      statement += '""';
      at = skipString(text, at, token.text);
    } else if ("([{".includes(first!)) {
      statement += first;
      depth++;
    } else if (")]}".includes(first!)) {
      statement += first;
      depth = Math.max(0, depth - 1);
    } else if (first === "\\" || (first === "\n" && depth > 0)) statement += " ";
    else if (first !== "#" && depth > 0) statement += first;
    else if (first !== "#") {
      statements.push(statement.trim());
      statement = "";
    }
  }
  statements.push((statement + text.slice(at)).trim());
  return statements.filter((one) => one !== "");
}

function findToken(text: string, at: number): { index: number; text: string } | undefined {
  TOKEN.lastIndex = at;
  const match = TOKEN.exec(text);
  return match === null ? undefined : { index: match.index, text: match[0] };
}

/** Returns where a string ends that began before `at` with `quote`. One in single quotes that is not closed ends with its line. */
function skipString(text: string, at: number, quote: string): number {
  const end = new RegExp(quote.length === 3 ? `\\\\[^]|${quote}` : `\\\\[^]|${quote}|\n`, "g");
  end.lastIndex = at;
  for (let match = end.exec(text); match !== null; match = end.exec(text)) {
    if (match[0] === quote) return end.lastIndex;
    if (match[0] === "\n") return match.index;
  }
  return text.length;
}
