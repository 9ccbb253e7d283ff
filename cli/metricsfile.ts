import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { MetricFamily } from "../report/metricfamily.js";
import { formatMetrics } from "../report/prometheus.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";

/** Readable by all users. */
const METRICS_MODE = 0o644;

/** Replaces `file` atomically, readable by all users. Throws UsageError where it cannot be written. */
export function writeMetrics(file: string, families: MetricFamily[]): void {
  const path = resolve(file);
  // The collector reads only files that end in .prom.
  const partial = join(dirname(path), `.${basename(path)}.${process.pid}.partial`);
  try {
    writeFileSync(partial, formatMetrics(families));
    // The mode of a new file depends on the umask, which is often 077 for root; the collector runs as a user of its own.
    chmodSync(partial, METRICS_MODE);
    renameSync(partial, path);
  } catch (error) {
    removeIfThere(partial);
    throw new UsageError(
      `--metrics ${file}: cannot write the file (${(error as NodeJS.ErrnoException).code})`,
      "Name a file in a folder that you can write to.",
    );
  }
}

function removeIfThere(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The folder is missing or cannot be changed, so nothing was written either.
  }
}

/** Writes metrics after a run. A failure is only printed, because it does not change the outcome of the run. */
export function writeRunMetrics(file: string | undefined, families: MetricFamily[], writers: Writers): void {
  if (file === undefined) return;
  try {
    writeMetrics(file, families);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    writers.err(`muster: ${error.message}`);
  }
}
