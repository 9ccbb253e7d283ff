/** What a program did not find. */
export type MissingName =
  /** As the program wrote it: relative to a folder that is not known, or absolute. */
  | { readonly kind: "path"; readonly name: string }
  /** A Python module, with dots. */
  | { readonly kind: "module"; readonly name: string }
  /** A module of Node.js, whose suffix may be missing; `from`: the absolute path of the file that asks for it. */
  | { readonly kind: "node module"; readonly name: string; readonly from: string | undefined };

/** How many names are taken, the last ones: the error that ends a program comes last. */
const MAX_NAMES = 5;
/** A longer line is data, not a message. */
const MAX_LINE_LENGTH = 4096;

/** How programs say that a path does not exist. What precedes it names the path. */
const NOT_FOUND_ENDING =
  /^(.*?)(?:: (?:\[Errno 2\] )?No such file(?: or directory)?(?: at .*)?| \(No such file or directory\)|: not found|: command not found)$/;
const PYTHON_MODULE = /No module named '?([\w.]+)'?/;
const PYTHON_NAME = /^ImportError: cannot import name '(\w+)' from '([\w.]+)'/;
const PYTHON_PATH = /^FileNotFoundError: \[Errno 2\] No such file or directory: (?:b?'(.*?)'|b?"(.*?)")(?: -> .*)?$/;
const NODE_PATH = /ENOENT: no such file or directory, \w+ '(.+?)'/;
const NODE_MODULE = /Cannot find module '(\.{0,2}\/.+?)'(?: imported from (\/.+))?$/;
const OTHER_PATHS = [
  /cd: can't cd to (.+)$/,
  /^make: \*\*\* No rule to make target '(.+?)'/,
  /^(.+) could not be started: /,
];
/** Words between the name of a program and the path that it does not find. */
const VERBS = /^(?:cannot open|cannot access|cannot stat|can't open(?: file)?|can't read|Can't open perl script) /;

/** Returns what a program did not find, by the end of its stderr, the last name first. Each is named once. */
export function findMissingNames(stderr: string): MissingName[] {
  const lines = stderr.split("\n").map((line) => line.trimEnd());
  const found = new Map<string, MissingName>();
  for (let index = lines.length - 1; index >= 0 && found.size < MAX_NAMES; index--) {
    const line = lines[index]!;
    const missing = line.length > MAX_LINE_LENGTH ? undefined : parseLine(line, lines.slice(index + 1, index + 3));
    if (missing !== undefined && missing.name !== "") found.set(`${missing.kind} ${missing.name}`, missing);
  }
  return [...found.values()];
}

function parseLine(line: string, next: readonly string[]): MissingName | undefined {
  const [, attribute, module] = PYTHON_NAME.exec(line) ?? [];
  if (attribute !== undefined) return { kind: "module", name: `${module}.${attribute}` };
  const named = PYTHON_MODULE.exec(line)?.[1];
  if (named !== undefined) return { kind: "module", name: named };
  const [, required, importer] = NODE_MODULE.exec(line) ?? [];
  if (required !== undefined) {
    const from = importer ?? (next[0] === "Require stack:" ? next[1]?.replace(/^- /, "") : undefined);
    return { kind: "node module", name: required, from };
  }
  const name = findPath(line);
  return name === undefined ? undefined : { kind: "path", name };
}

function findPath(line: string): string | undefined {
  const [, single, double] = PYTHON_PATH.exec(line) ?? [];
  const python = single ?? double;
  if (python !== undefined) return python.replace(/\\([\\'])/g, "$1");
  for (const pattern of [NODE_PATH, ...OTHER_PATHS]) {
    const name = pattern.exec(line)?.[1];
    if (name !== undefined) return name;
  }
  const before = NOT_FOUND_ENDING.exec(line)?.[1];
  return before === undefined ? undefined : takeLastName(before);
}

/** Returns the path at the end of `bash: line 1: ./x`, `cp: cannot stat 'x'` or `head: cannot open 'x' for reading`. */
function takeLastName(text: string): string {
  const last = text.slice(text.lastIndexOf(": ") + 1).trimStart();
  const quoted = /['"`]([^'"`]+)['"](?: for reading)?$/.exec(last)?.[1];
  return quoted ?? last.replace(VERBS, "");
}
