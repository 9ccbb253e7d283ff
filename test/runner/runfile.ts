import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FileTestCounts } from "./testcounts.js";
import { findLeftovers, findProcessesIn } from "./testleftovers.js";

/** Seconds that a test may take where it does not say otherwise, and that a whole file may. */
const TEST_TIMEOUT_SECONDS = 300;
const FILE_TIMEOUT_SECONDS = 900;
/** Milliseconds that what a file has started may still need to be gone when the file has ended. */
const CLEANUP_GRACE_MS = 10_000;

/**
 * Runs a file of tests, a process with a temporary folder of its own, and resolves when it has ended and nothing of it is left:
 * what is left on this machine is a failure, and goes. When `stop` fires the file is ended in the middle.
 */
export async function runFile(file: string, stop: AbortSignal): Promise<FileTestCounts> {
  const tally = new FileTestCounts(file);
  const folder = mkdtempSync(join(tmpdir(), "muster-tests-"));
  // Tests also run programs as other users.
  chmodSync(folder, 0o755);
  const child = spawn(process.execPath, ["--enable-source-maps", file], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, TAP: "1", TAP_TIMEOUT: `${TEST_TIMEOUT_SECONDS}`, TMPDIR: folder },
    detached: true,
  });
  const end = () => kill(-child.pid!);
  stop.addEventListener("abort", end);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end();
  }, FILE_TIMEOUT_SECONDS * 1000);
  child.stdout.on("data", (bytes) => tally.parser.write(bytes));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  stop.removeEventListener("abort", end);
  if (stop.aborted) await killAll(folder);
  const left = await cleanUp(folder);
  const wrong = left.map((what) => `left behind: ${what}`);
  if (late) wrong.push(`not over after ${FILE_TIMEOUT_SECONDS} s`);
  if (code !== 0 && tally.failed.length === 0) wrong.push(`exit code ${code}`);
  tally.close(wrong);
  return tally;
}

/** Ends what a file that was stopped has started; its labs go by themselves, with all that they have made. */
async function killAll(folder: string): Promise<void> {
  for (const { pid, words } of findProcessesIn(folder)) if (!words.includes("supervisor.js")) kill(pid);
  const deadline = performance.now() + CLEANUP_GRACE_MS;
  while (findProcessesIn(folder).length > 0 && performance.now() < deadline) await sleep(50);
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** Removes a folder and what is still at work in it; answers what that was, once there was time for it to go by itself. */
async function cleanUp(folder: string): Promise<string[]> {
  const deadline = performance.now() + CLEANUP_GRACE_MS;
  while (findLeftovers(folder).length > 0 && performance.now() < deadline) await sleep(50);
  const left = findLeftovers(folder);
  for (const { pid } of findProcessesIn(folder)) kill(pid);
  if (!left.some((what) => what.startsWith("mount "))) rmSync(folder, { recursive: true, force: true });
  return left;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
