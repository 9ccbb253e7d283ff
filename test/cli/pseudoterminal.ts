import { type ChildProcess, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../lab/project.js";

/** Gives a program a terminal of 80 columns for stdin, stdout and stderr, and copies what it prints there to stdout. */
const TERMINAL = `import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data: break
    os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

/** Starts muster in a terminal; its stdout has what the terminal is sent. */
export function startInTerminal(words: string[]): ChildProcess {
  const muster = [process.execPath, join(projectRoot(), "dist/cli/main.js"), ...words];
  return spawn("/usr/bin/python3", ["-c", TERMINAL, ...muster], {
    cwd: tmpdir(),
    env: { ...process.env, MUSTER_INVENTORY: "", TERM: "xterm-256color" },
  });
}
