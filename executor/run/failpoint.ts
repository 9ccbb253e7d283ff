const [name, count = "1"] = (process.env.MUSTER_KILL_AT ?? "").split(":");
/** The step at which this process kills itself, and how often it still has to reach that step. */
const armed = { name, left: Number(count) };

/**
 * Marks a step at which tests can crash the process: with MUSTER_KILL_AT=STEP[:N] in the environment it kills itself (SIGKILL)
 * when it reaches the step for the Nth time (default 1). Without the variable it does nothing.
 */
export function failpoint(step: string): void {
  if (step !== armed.name) return;
  armed.left--;
  if (armed.left === 0) process.kill(process.pid, "SIGKILL");
}
