import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../lab/project.js";

/**
 * Gives a program a terminal for stdin, stdout and stderr, and copies what it prints there to stdout. A line "COLUMNS ROWS" on stdin gives
 * the terminal another size; a line "type TEXT" presses keys.
 */
const TERMINAL = `import fcntl, os, pty, select, struct, sys, termios
def resize(columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
pid, terminal = pty.fork()
if pid == 0:
    os.read(0, 1)
    os.execv(sys.argv[2], sys.argv[2:])
resize(*sys.argv[1].split())
os.write(terminal, b"\\n")
sources = [terminal, 0]
while True:
    if 0 in select.select(sources, [], [])[0]:
        line = os.read(0, 100)
        if line.startswith(b"type "): os.write(terminal, line[5:].rstrip(b"\\n"))
        elif line: resize(*line.split())
        else: sources.remove(0)
        continue
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data: break
    os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

export interface TerminalOptions {
  cwd?: string;
  columns?: number;
  rows?: number;
  env?: Record<string, string>;
}

/** Starts muster in a terminal, of 80 columns and 24 rows by default; its stdout has what the terminal is sent. */
export function startInTerminal(words: string[], options: TerminalOptions = {}): ChildProcess {
  const { cwd = tmpdir(), columns = 80, rows = 24, env = {} } = options;
  const muster = [process.execPath, join(projectRoot(), "dist/bundle/cli/main.js"), ...words];
  const { CI: _, ...own } = process.env; // Node.js takes the terminals of CI for colourless
  return spawn("/usr/bin/python3", ["-c", TERMINAL, `${columns} ${rows}`, ...muster], {
    cwd,
    env: { ...own, MUSTER_INVENTORY: "", TERM: "xterm-256color", ...env },
  });
}

/** Presses keys in the terminal of a program. */
export function typeKeys(child: ChildProcess, keys: string): void {
  child.stdin!.write(`type ${keys}\n`);
}

/** Gives the terminal of a program another size. */
export function resizeTerminal(child: ChildProcess, columns: number, rows: number): void {
  child.stdin!.write(`${columns} ${rows}\n`);
}
