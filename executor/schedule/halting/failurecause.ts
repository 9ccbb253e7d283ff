import type { Failure } from "../events.js";

/** The longest name of an exception or a file, or message of an exception, that is shown. */
const MAX_NAME_CHARS = 80;
const TRACEBACK_HEAD = "Traceback (most recent call last):";
const FRAME = /^ {2}File "([^"]+)", line (\d+)/;
/** A line that begins with the name of an exception, as Python ends a traceback. */
const EXCEPTION = /^((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?::|$)/;
/** Frames in here belong to libraries: the line of the program that called them says more. */
const LIBRARY = /\/(?:site-packages|dist-packages|lib\/python\d[\d.]*)\//;

/**
 * Returns what caused a failure, on one line: the exception and the line of the program that raised it, if stderr ends with a Python
 * traceback ("SyntaxError in bad.py line 2"), or its message where the program is no file; else the reason.
 */
export function describeCause({ exit, reason, stderr }: Failure): string {
  const raised = exit === null || exit === 0 ? undefined : findException(stderr);
  return raised ?? reason.split("\n")[0]!;
}

function findException(stderr: string): string | undefined {
  const head = stderr.lastIndexOf(TRACEBACK_HEAD);
  const lines = stderr.slice(Math.max(0, head)).split("\n");
  const frames = lines.flatMap((line, index) => {
    const found = FRAME.exec(line);
    return found === null ? [] : [{ index, path: found[1]!, line: found[2]! }];
  });
  const last = frames.at(-1);
  if (last === undefined) return undefined;
  const exception = lines.slice(last.index + 1).map((line) => EXCEPTION.exec(line)?.[1]);
  const name = exception.find((one) => one !== undefined);
  if (name === undefined) return undefined;
  const files = frames.filter(({ path }) => !path.startsWith("<"));
  const own = files.filter(({ path }) => !LIBRARY.test(path)).at(-1) ?? files.at(-1);
  if (own === undefined) return shorten(lines.slice(last.index + 1).find((line) => EXCEPTION.test(line))!);
  return `${shorten(name)} in ${shorten(own.path.split("/").at(-1)!)} line ${own.line.slice(0, 9)}`;
}

function shorten(text: string): string {
  return text.length <= MAX_NAME_CHARS ? text : `${text.slice(0, MAX_NAME_CHARS)}…`;
}
