/** Longest command line that Linux hands to a login shell as one argument (MAX_ARG_STRLEN less its NUL). */
export const MAX_COMMAND_BYTES = 128 * 1024 - 1;

/** POSIX quoting: what sh reads back as exactly this word. Not for csh or fish. */
export function quote(word: string): string {
  return /^[\w@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What comes before a program's own output; a login shell's start-up file may have printed before it. */
const MARK_START = "\x1emuster ";
const MARK_END = "\x1e";

/**
 * A command line that starts `argv` with every argument byte for byte, whether sh, bash, dash, csh, tcsh or fish reads it.
 * It prints a mark with the process (group) id first, see `findMark`; the program takes the place of the shell.
 *
 * The one quoting that all of those read alike is '...' around text without quotes, exclamation marks and line breaks, with
 * no backslash before a quote or backslash. So the arguments go as octal escapes to /bin/sh, whose printf undoes them.
 */
export function formatStartCommand(argv: string[]): string {
  const command = escapeAsOctal(`exec ${argv.map(quote).join(" ")}`);
  return `exec /bin/sh -c 'printf "\\036muster $$\\036";eval "$(printf "${command}")"'`;
}

/** Where the mark stands at the front of output: the pid, and the text from before and after it; undefined while it has not come. */
export function parseStartMark(output: Buffer): { pid: number; before: Buffer; rest: Buffer } | undefined {
  const start = output.indexOf(MARK_START);
  const end = start < 0 ? -1 : output.indexOf(MARK_END, start + MARK_START.length);
  if (end < 0) return undefined;
  const pid = Number(output.toString("latin1", start + MARK_START.length, end));
  // A group of 0 or 1 would be someone else's.
  if (!Number.isSafeInteger(pid) || pid < 2) return undefined;
  return { pid, before: output.subarray(0, start), rest: output.subarray(end + MARK_END.length) };
}

/** Every byte but letters, digits and a few harmless signs as \ooo. */
function escapeAsOctal(text: string): string {
  let out = "";
  for (const byte of Buffer.from(text)) {
    const sign = String.fromCharCode(byte);
    out += /[\w ./:=,@+-]/.test(sign) ? sign : `\\${byte.toString(8).padStart(3, "0")}`;
  }
  return out;
}
