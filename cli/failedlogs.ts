import { existsSync } from "node:fs";
import { join } from "node:path";
import { readFailedChunks } from "../executor/run/record/chunkrecord.js";
import { LOG_STREAMS, type LogStream } from "../executor/run/record/logfiles.js";
import { replayRun } from "../executor/run/record/replay.js";
import type { Failure } from "../executor/schedule/events.js";
import { formatFailureHead } from "../report/failuretext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { type LogsOptions, parseTail } from "./logsoptions.js";
import { readLogTail } from "./logtail.js";
import { createNodeFilter } from "./nodefilter.js";

const SHOWN_LINES = 10;

/**
 * Prints of each failed chunk of the run in the directory `path` why it failed and the last lines of its stderr, or of its stdout where
 * that is empty; `--out` and `--err` choose one. Returns 0.
 */
export function printFailedLogs(path: string, options: LogsOptions, writers: Writers): number {
  if (!existsSync(join(path, "journal.ndjson")))
    throw new UsageError(
      `${path}: is the folder of a step, not of a run`,
      "Name a chunk; that of a command is `command`.",
    );
  const tail = parseTail(options) ?? SHOWN_LINES;
  const failures = selectByNode(path, readFailedChunks(path), options);
  const logs = join(path, "logs");
  if (options.json) {
    const documents = failures.map(({ stderr, ...failure }) => ({
      ...failure,
      stdout: readLogTail(join(logs, `${failure.chunk}.out`), tail).join("\n"),
      stderr: readLogTail(join(logs, `${failure.chunk}.err`), tail).join("\n"),
    }));
    writers.out(formatJson(documents, 2));
    return 0;
  }
  for (const failure of failures) {
    const lines = selectOrder(options).map((stream) => readLogTail(join(logs, `${failure.chunk}.${stream}`), tail));
    const shown = lines.find((tail) => tail.length > 0) ?? [];
    writers.out([formatFailureHead(failure), ...shown.map((line) => `    ${line}`)].join("\n"));
  }
  if (failures.length === 0 && !options.quiet) writers.err("no chunk has failed");
  return 0;
}

/** Returns those failures that happened on nodes that `--node` selects. */
function selectByNode(path: string, failures: Failure[], options: LogsOptions): Failure[] {
  if (options.node === undefined) return failures;
  const find = createNodeFilter(path, options);
  const inventories = [...replayRun(path).nodes.keys()];
  return failures.filter(({ node }) => inventories.some((inventory) => find(inventory, node) !== undefined));
}

/** Returns the streams to look into, the first one that has something is shown. */
function selectOrder({ out, err }: LogsOptions): readonly LogStream[] {
  if (out === err) return ["err", "out"];
  return LOG_STREAMS.filter((stream) => (stream === "out") === (out === true));
}
