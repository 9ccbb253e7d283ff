import { basename, dirname, join, relative, resolve } from "node:path";
import { findInventory } from "../fleet/inventory.js";
import { toPrintableText } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { type DetachedRun, startInBackground } from "./backgroundprocess.js";
import { handleInterrupt } from "./interrupt.js";
import type { RunCommandOptions } from "./options.js";
import { buildRunArguments } from "./runarguments.js";

/**
 * `muster run --detach FILE`: starts the run in the background, and says how to follow it once its first node is attached, or
 * on a cluster its first pilot submitted. Returns 0, or the exit status of a run that has ended before that.
 */
export async function detach(file: string, options: RunCommandOptions, writers: Writers): Promise<number> {
  if (options.plan) throw new UsageError("--plan and --detach cannot be combined", "--plan runs nothing.");
  if (options.cron)
    throw new UsageError("--cron and --detach cannot be combined", "cron runs commands in the background already.");
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const interrupt = handleInterrupt();
  try {
    const start = {
      arguments: buildRunArguments(file, { ...options, inventory: inventory.file ?? "local" }),
      cwd: process.cwd(),
      as: "new" as const,
      beside: resolve(options.out ?? join(dirname(file), "runs")),
      signal: interrupt.signal,
    };
    const result = await startInBackground(start, writers);
    if (result.state === "ended") return result.exit;
    if (options.json) writers.out(formatJson(result.run, 2));
    else if (!options.quiet) writers.out(formatDetachedRun(result.run));
    if (result.note !== undefined && !options.quiet) writers.err(result.note);
    return 0;
  } finally {
    interrupt.release();
  }
}

function formatDetachedRun({ path, log, pid }: DetachedRun): string {
  const where = relative(process.cwd(), path) || ".";
  return toPrintableText([
    `${basename(path)} runs in the background, as process ${pid}`,
    `  follow it: muster attach ${where}`,
    `  its log:   ${relative(process.cwd(), log)}`,
    `  stop it:   muster cancel ${where}`,
  ]);
}
