import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../test/lab/project.js";
import type { DispatchScore } from "./mustercontestant.js";
import { runTimed } from "./timedrun.js";

/** The one that apt installs Dask for. */
export const SYSTEM_PYTHON = "/usr/bin/python3";
/** Programs of bench/pools, which run shell commands on this machine alone: no connections, no verified results, no journal. */
const POOLS = { bare: "posix_spawn, nothing else", dask_commands: "Dask, a subprocess a task" } as const;

/** Whether Debian's python3-distributed is installed. */
export function hasDask(): boolean {
  return spawnSync(SYSTEM_PYTHON, ["-c", "import distributed"]).status === 0;
}

/** Runs `command` for the numbers below `chunks`, as its `$1`, in a folder of its own, with `slots` at once. */
export async function runPool(
  pool: keyof typeof POOLS,
  parent: string,
  { chunks, slots, command }: { chunks: number; slots: number; command: string },
): Promise<DispatchScore & { folder: string }> {
  const folder = join(parent, pool);
  mkdirSync(folder, { recursive: true });
  const argv = [SYSTEM_PYTHON, join(projectRoot(), `bench/pools/${pool}.py`), `${chunks}`, `${slots}`, folder, command];
  const ran = await runTimed(argv, { limit: 900 });
  const note = ran.code === 0 ? "" : `exit ${ran.code}: ${ran.stderr.trim().split("\n").at(-1) ?? ""}`;
  return { name: POOLS[pool], chunks, right: ran.code === 0 ? chunks : 0, seconds: ran.seconds, note, folder };
}

/** Runs a pool whose commands write their number into a file, and counts the files that are right. */
export async function runWritingPool(
  pool: keyof typeof POOLS,
  parent: string,
  chunks: number,
  slots: number,
): Promise<DispatchScore> {
  const score = await runPool(pool, parent, { chunks, slots, command: 'echo "$1" >"$1"' });
  const isRight = (n: number) => {
    const file = join(score.folder, `${n}`);
    return existsSync(file) && readFileSync(file, "utf8") === `${n}\n`;
  };
  const right = Array.from({ length: chunks }, (_, n) => n).filter(isRight).length;
  return { ...score, right };
}
