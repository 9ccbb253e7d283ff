import type { FoundOutputs } from "./job.js";

/** How many files a folder or a glob must have. */
export interface FileCount {
  atLeast: number;
  atMost?: number;
}

/** Whether a text is a glob: `*`, `?` and `[...]` are special. */
export function isGlob(text: string): boolean {
  return /[*?]|\[[^/]+\]/.test(text);
}

/** What shells would expand or match, and globs here do not: alternatives in braces (but `[{]` is a brace), and `[[:alpha:]]`. */
const ALTERNATIVES = /(?<!\[)\{([^{}/]*,[^{}/]*)\}/;
const CHARACTER_CLASS = /\[:\w+:\]/;

/** Returns why an output's name cannot be taken as it is written, and what to write instead; undefined = it can. */
export function findGlobFault(text: string): { message: string; hint: string } | undefined {
  const alternatives = ALTERNATIVES.exec(text);
  if (alternatives !== null) {
    const names = alternatives[1]!.split(",").map((one) => `"${text.replace(ALTERNATIVES, () => one)}"`);
    return { message: "has alternatives in braces, which are not expanded", hint: `write ${names.join(", ")}` };
  }
  const [name] = CHARACTER_CLASS.exec(text) ?? [];
  if (name === undefined) return undefined;
  return {
    message: `has the class ${name}, which globs here do not have`,
    hint: "name the characters, as in [A-Za-z]",
  };
}

/**
 * Parses a folder (`out/`) or a glob (`out/*.png`) of `outputs`. The pattern of a glob is a regular expression that JavaScript and
 * Python read alike, so that coordinator and node agree on what it matches. It applies to paths below `base`. A glob that ends with a
 * slash stands for all files in the folders that it matches.
 */
export function parseFoundOutputs(written: string, { atLeast, atMost }: FileCount): FoundOutputs {
  const count = { atLeast, ...(atMost === undefined ? {} : { atMost }) };
  if (!isGlob(written) && written.endsWith("/")) return { written, base: written.replace(/(?<=.)\/+$/, ""), ...count };
  const parts = written.replace(/\/+$/, "/**").split("/");
  // A glob without special characters names one file, which may be left out with `at_least: 0`.
  const first = isGlob(written) ? parts.findIndex(isGlob) : parts.length - 1;
  const globs = parts.slice(first);
  const base = first === 0 ? "." : parts.slice(0, first).join("/") || "/";
  const depth = globs.includes("**") ? undefined : globs.length;
  return { written, base, pattern: translateGlob(globs), ...(depth === undefined ? {} : { depth }), ...count };
}

/** Returns whether a file belongs to these outputs. `path`: relative to the working directory, normalized. */
export function isFoundBy({ base, pattern }: FoundOutputs, path: string): boolean {
  const prefix = base === "." ? "" : `${base}/`;
  const inner = path.startsWith(prefix) ? path.slice(prefix.length) : "";
  if (inner === "" || inner === ".." || inner.startsWith("../")) return false;
  return pattern === undefined || new RegExp(`^(?:${pattern})$`, "u").test(inner);
}

/** Returns whether a glob can be matched: `[z-a]` cannot. */
export function isValidGlob({ pattern = "" }: FoundOutputs): boolean {
  try {
    new RegExp(pattern, "u");
    return true;
  } catch {
    return false;
  }
}

/** A name that does not begin with a dot. */
const NAME = "(?!\\.)[^/]+";

/**
 * Translates the parts of a glob between slashes. As in a shell, `*` and `?` match neither a slash nor a leading dot; `**` matches any
 * folders, or at the end all that is in them.
 */
function translateGlob(parts: string[]): string {
  return parts
    .map((part, index) => {
      const isLast = index === parts.length - 1;
      if (part === "**") return isLast ? `(?:${NAME}/)*${NAME}` : `(?:${NAME}/)*`;
      return `${translatePart(part)}${isLast ? "" : "/"}`;
    })
    .join("");
}

function translatePart(part: string): string {
  const body = part.replace(/\*+|\?|\[([!^]?)(\]?[^\]]*)\]|[^*?]/gu, (token, negation: string, members: string) => {
    if (token.startsWith("*")) return "[^/]*";
    if (token === "?") return "[^/]";
    if (members !== undefined && members !== "") return `[${negation !== "" ? "^/" : ""}${escapeMembers(members)}]`;
    return escapeLiteral(token);
  });
  return /^[*?[]/.test(part) ? `(?!\\.)${body}` : body;
}

function escapeMembers(members: string): string {
  return members.replace(/[\\\][^]/g, "\\$&");
}

function escapeLiteral(token: string): string {
  return token.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
