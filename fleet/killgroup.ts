/** Sends a signal to the process group that the process `pid` leads. Does nothing if it never started or has ended. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // The group has already ended.
  }
}
