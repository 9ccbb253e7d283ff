/** The longest command line that Linux passes to a login shell as one argument: MAX_ARG_STRLEN without the final NUL. */
export const MAX_COMMAND_BYTES = 128 * 1024 - 1;

/** Quotes a word for a POSIX shell. The result is not safe in csh or fish. */
export function quote(word: string): string {
  return /^[\w@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The start mark precedes the program's own output. A start-up file of the login shell may print text before it. */
const MARK_START = "\x1emuster ";
const MARK_END = "\x1e";

/**
 * Formats a command line that starts `argv` with every argument byte for byte, whether sh, bash, dash, csh, tcsh or fish reads it. It
 * first prints the start mark with the id of the process (and process group), see `parseStartMark`; then the program replaces the shell.
 *
 * The only quoting that all these shells read alike is '...' around text without quotes, exclamation marks and line breaks, and without
 * a backslash before a quote or a backslash. So the arguments travel as octal escapes, which the printf of /bin/sh decodes.
 */
export function formatStartCommand(argv: string[]): string {
  const command = escapeAsOctal(`exec ${argv.map(quote).join(" ")}`);
  return `exec /bin/sh -c 'printf "\\036muster $$\\036";eval "$(printf "${command}")"'`;
}

/** Finds the start mark in output: the process id, and the bytes before and after the mark. undefined: the mark has not arrived yet. */
export function parseStartMark(output: Buffer): { pid: number; before: Buffer; rest: Buffer } | undefined {
  const start = output.indexOf(MARK_START);
  const end = start < 0 ? -1 : output.indexOf(MARK_END, start + MARK_START.length);
  if (end < 0) return undefined;
  const pid = Number(output.toString("latin1", start + MARK_START.length, end));
  // A signal to process group 0 or 1 would reach processes of others.
  if (!Number.isSafeInteger(pid) || pid < 2) return undefined;
  return { pid, before: output.subarray(0, start), rest: output.subarray(end + MARK_END.length) };
}

/** Escapes every byte as \ooo, except letters, digits and a few characters that no shell interprets. */
function escapeAsOctal(text: string): string {
  let out = "";
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    out += /[\w ./:=,@+-]/.test(character) ? character : `\\${byte.toString(8).padStart(3, "0")}`;
  }
  return out;
}
