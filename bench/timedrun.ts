import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

export interface TimedRun {
  seconds: number;
  code: number | null;
  /** The peak resident bytes of the process itself, without its children; 0 if it ended before the first sample. */
  peak: number;
  stdout: string;
  /** The end of stderr. */
  stderr: string;
}

/**
 * Runs a program to its end and kills its process group after `limit` seconds. Rejects only if the program cannot be
 * started.
 */
export function runTimed(
  argv: string[],
  options: { cwd?: string; limit: number; stdin?: string; env?: Record<string, string> },
): Promise<TimedRun> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: "pipe",
      detached: true,
    });
    let peak = 0;
    let stdout = "";
    let stderr = "";
    const look = setInterval(() => {
      peak = Math.max(peak, peakOf(child.pid));
    }, 50);
    const late = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), options.limit * 1000);
    child.stdout.on("data", (piece) => {
      stdout += piece;
    });
    child.stderr.on("data", (piece) => {
      stderr = (stderr + piece).slice(-4000);
    });
    child.once("error", reject);
    child.once("close", (code) => {
      clearInterval(look);
      clearTimeout(late);
      resolve({ seconds: (performance.now() - started) / 1000, code, peak, stdout, stderr });
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.stdin ?? "");
  });
}

function peakOf(pid: number | undefined): number {
  try {
    const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return line === null ? 0 : Number(line[1]) * 1024;
  } catch {
    return 0;
  }
}
