import { spawn } from "node:child_process";

/** A machine as the inventory or a ProxyJump calls it. */
export interface HostAlias {
  alias: string;
  port?: number;
  user?: string;
}

/** What `ssh -G` says of a host name: its exit code, null where it gave none in time, and its two outputs. */
export interface SshConfigAnswer {
  exit: number | null;
  stdout: string;
  stderr: string;
}

/** Prints for each three arguments (name, port, user) what ssh says, then \037, exit code, \037, errors, \036. */
const QUERY_SCRIPT = `file=$1
shift
while [ $# -gt 0 ]; do
  { errors=$(ssh \${file:+-F "$file"} \${2:+-p "$2"} \${3:+-l "$3"} -G -- "$1" 2>&1 >&3 3>&-); } 3>&1
  printf '\\037%d\\037%s\\036' "$?" "$errors"
  shift 3
done`;

/**
 * Asks `ssh -G` for the settings of many names in one process of ours: to start a process for each would block this one for
 * milliseconds each, and much longer on a busy machine. Yields the answers in the order of `names` as they come; after one without
 * an exit code, which has taken longer than `timeoutMs`, no others follow. `file`: a configuration instead of ~/.ssh/config.
 */
export async function* querySshConfig(
  file: string | undefined,
  names: HostAlias[],
  timeoutMs: number,
): AsyncGenerator<SshConfigAnswer> {
  const words = names.flatMap(({ alias, port, user }) => [alias, `${port ?? ""}`, user ?? ""]);
  const child = spawn("/bin/sh", ["-c", QUERY_SCRIPT, "sh", file ?? "", ...words], {
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  let failure = `no answer within ${timeoutMs / 1000} s`;
  child.once("error", (error) => {
    failure = error.message;
    child.stdout.destroy();
  });
  const timer = setTimeout(() => killGroup(child.pid), timeoutMs);
  let [text, left] = ["", names.length];
  try {
    for await (const part of child.stdout.setEncoding("utf8")) {
      const records = `${text}${part}`.split("\x1e");
      text = records.pop()!;
      for (const record of records) {
        timer.refresh();
        left--;
        const [stdout = "", exit, stderr = ""] = record.split("\x1f");
        yield { exit: Number(exit), stdout, stderr };
      }
    }
  } catch (error) {
    failure = (error as Error).message;
  } finally {
    clearTimeout(timer);
    if (left > 0) killGroup(child.pid);
  }
  if (left > 0) yield { exit: null, stdout: "", stderr: failure };
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
