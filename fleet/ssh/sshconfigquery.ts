import { spawn } from "node:child_process";
import { killGroup } from "../killgroup.js";

/** A machine as the inventory or ProxyJump names it. */
export interface HostAlias {
  alias: string;
  port?: number;
  user?: string;
}

/** The result of `ssh -G` for one host name. `exit`: null if it did not answer in time. */
export interface SshConfigAnswer {
  exit: number | null;
  stdout: string;
  stderr: string;
}

/** For each three arguments (name, port, user), prints the output of `ssh -G`, then \037, exit code, \037, errors, \036. */
const QUERY_SCRIPT = `file=$1
shift
while [ $# -gt 0 ]; do
  { errors=$(ssh \${file:+-F "$file"} \${2:+-p "$2"} \${3:+-l "$3"} -G -- "$1" 2>&1 >&3 3>&-); } 3>&1
  printf '\\037%d\\037%s\\036' "$?" "$errors"
  shift 3
done`;

/**
 * Queries `ssh -G` for the settings of many names from one shell, because each spawn would block this process for milliseconds, and
 * much longer on a busy machine. Yields the answers in the order of `names` as they arrive. An answer without an exit code (a query took
 * longer than `timeoutMs`, or the shell failed) is the last one. `file`: a configuration to use instead of ~/.ssh/config.
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
  const timer = setTimeout(() => killGroup(child.pid, "SIGKILL"), timeoutMs);
  let [text, remaining] = ["", names.length];
  try {
    for await (const part of child.stdout.setEncoding("utf8")) {
      const records = `${text}${part}`.split("\x1e");
      text = records.pop()!;
      for (const record of records) {
        timer.refresh();
        remaining--;
        const [stdout = "", exit, stderr = ""] = record.split("\x1f");
        yield { exit: Number(exit), stdout, stderr };
      }
    }
  } catch (error) {
    failure = (error as Error).message;
  } finally {
    clearTimeout(timer);
    if (remaining > 0) killGroup(child.pid, "SIGKILL");
  }
  if (remaining > 0) yield { exit: null, stdout: "", stderr: failure };
}
