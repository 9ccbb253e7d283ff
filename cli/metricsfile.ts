import { renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { formatMetrics, type MetricFamily } from "../report/prometheus.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";

/**
 * Replaces `file` in one step, readable for everybody: whoever reads it finds the old figures or the new ones, and never half.
 * Throws a UsageError where it cannot be written.
 */
export function writeMetrics(file: string, families: MetricFamily[]): void {
  const path = resolve(file);
  // The collector reads what ends in .prom, which this does not.
  const partial = join(dirname(path), `.${basename(path)}.${process.pid}.partial`);
  try {
    writeFileSync(partial, formatMetrics(families), { mode: 0o644 });
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw new UsageError(
      `--metrics ${file}: it cannot be written (${(error as NodeJS.ErrnoException).code})`,
      "Name a file in a folder that you may write to.",
    );
  }
}

/** The same after a run, which is what it is whether its figures can be written or not. */
export function writeRunMetrics(file: string | undefined, families: MetricFamily[], writers: Writers): void {
  if (file === undefined) return;
  try {
    writeMetrics(file, families);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    writers.err(`muster: ${error.message}`);
  }
}
