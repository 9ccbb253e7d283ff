import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FileTestCounts } from "./testcounts.js";
import { findLeftovers, findProcessesIn } from "./testleftovers.js";

/** Of a test that sets no timeout of its own. */
const TEST_TIMEOUT_SECONDS = 600;
const FILE_TIMEOUT_SECONDS = 1200;
/** For processes of a file that has ended, to end by themselves. */
const CLEANUP_GRACE_MS = 10_000;

/**
 * Runs a test file in a process and a temporary folder of its own. Resolves when the process has ended and nothing of it is left;
 * what it leaves on this machine counts as a failure, and is removed. When `stop` fires, the file is killed.
 */
export async function runFile(file: string, stop: AbortSignal): Promise<FileTestCounts> {
  const counts = new FileTestCounts(file);
  const folder = mkdtempSync(join(tmpdir(), "muster-tests-"));
  // Tests also run programs as other users.
  chmodSync(folder, 0o755);
  // Runs on this machine share its slots; those of two test files must not.
  const locks = mkdtempSync(join(tmpdir(), "muster-locks-"));
  const child = spawn(process.execPath, ["--enable-source-maps", file], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...process.env,
      TAP: "1",
      TAP_TIMEOUT: `${TEST_TIMEOUT_SECONDS}`,
      TMPDIR: folder,
      MUSTER_LOCK_FOLDER: locks,
    },
    detached: true,
  });
  const killFile = () => kill(-child.pid!);
  stop.addEventListener("abort", killFile);
  let isTimedOut = false;
  const timer = setTimeout(() => {
    isTimedOut = true;
    killFile();
  }, FILE_TIMEOUT_SECONDS * 1000);
  child.stdout.on("data", (bytes) => counts.parser.write(bytes));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  stop.removeEventListener("abort", killFile);
  if (stop.aborted) await killAll(folder);
  const leftovers = await cleanUp(folder);
  // Agents that tests have killed leave their lock files.
  rmSync(locks, { recursive: true, force: true });
  const failures = leftovers.map((what) => `left behind: ${what}`);
  if (isTimedOut) failures.push(`not finished after ${FILE_TIMEOUT_SECONDS} s`);
  if (code !== 0 && counts.failed.length === 0) failures.push(`exit code ${code}`);
  counts.close(failures);
  return counts;
}

/** Kills what a stopped file has started. Labs end by themselves, and remove all that they made. */
async function killAll(folder: string): Promise<void> {
  for (const { pid, words } of findProcessesIn(folder)) if (!words.includes("supervisor.js")) kill(pid);
  const deadline = performance.now() + CLEANUP_GRACE_MS;
  while (findProcessesIn(folder).length > 0 && performance.now() < deadline) await sleep(50);
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** Waits for processes in a folder to end, then kills them and removes the folder. Returns what was left after the wait. */
async function cleanUp(folder: string): Promise<string[]> {
  const deadline = performance.now() + CLEANUP_GRACE_MS;
  while (findLeftovers(folder).length > 0 && performance.now() < deadline) await sleep(50);
  const leftovers = findLeftovers(folder);
  for (const { pid } of findProcessesIn(folder)) kill(pid);
  if (!leftovers.some((what) => what.startsWith("mount "))) rmSync(folder, { recursive: true, force: true });
  return leftovers;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
