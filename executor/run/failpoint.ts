const [name, count = "1"] = (process.env.MUSTER_KILL_AT ?? "").split(":");
/** Where this process kills itself, and how many times it still passes there. State of the process, as its environment is. */
const armed = { name, left: Number(count) };

/**
 * A step of the commit protocol, for the tests of its promises: with MUSTER_KILL_AT=STEP[:N] this process is killed there
 * (KILL, as by a power cut) at the Nth time, 1 where N is absent. Without the variable nothing happens.
 */
export function failpoint(step: string): void {
  if (step !== armed.name) return;
  armed.left--;
  if (armed.left === 0) process.kill(process.pid, "SIGKILL");
}
