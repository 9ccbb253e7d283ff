import { isPipelineRun } from "../executor/pipeline/anyrunstatus.js";
import { type FollowResult, LogFollower } from "../executor/run/follow/logfollower.js";
import { LOG_STREAMS, type LogStream } from "../executor/run/record/logfiles.js";
import { hasJournal } from "../executor/run/record/runstatus.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { createChunkPrinter, createRunPrinter } from "./followprinter.js";
import { handleInterrupt } from "./interrupt.js";
import { type LogsOptions, parseTail } from "./logsoptions.js";
import { createNodeFilter } from "./nodefilter.js";
import { onStdoutClosed } from "./terminal.js";

const MAX_NAMED_CHUNKS = 5;

/** The run whose logs are followed: as it was named, and its directory. `chunk`: undefined = all of them. */
export interface FollowTarget {
  run: string;
  path: string;
  chunk: string | undefined;
}

/**
 * Prints what chunks of a run print while they run, until the chunk has ended, or else the run. Reads from the nodes over connections
 * of its own. Returns the exit status: 3 where a node could not be followed to the end; undefined where there was nothing to follow.
 */
export async function followLogs(
  { run, path, chunk }: FollowTarget,
  options: LogsOptions,
  writers: Writers,
): Promise<number | undefined> {
  if (!hasJournal(path)) throw new UsageError(`${run}: only chunks of a job can be followed`, "Leave out -f.");
  if (isPipelineRun(path)) throw new UsageError(`${run}: this is a pipeline`, `muster logs ${run}/STEP -f`);
  const findNode = createNodeFilter(path, options);
  const interrupt = handleInterrupt();
  const closed = new AbortController();
  const releaseStdout = onStdoutClosed(() => closed.abort());
  const print = chunk === undefined ? createRunPrinter : createChunkPrinter;
  const follower = new LogFollower(path, {
    chunk,
    streams: selectStreams(options),
    tail: parseTail(options),
    findNode,
    sink: print(writers, options.quiet === true),
    signal: AbortSignal.any([interrupt.signal, closed.signal]),
  });
  try {
    if (!follower.isFollowable) {
      follower.close();
      return undefined;
    }
    if (!options.quiet) explainWait(follower.runningChunks, chunk, writers);
    const result = await follower.follow();
    return interrupt.exitStatus() ?? exitStatusOf(result);
  } finally {
    interrupt.release();
    releaseStdout();
  }
}

/** Returns the streams of `--out` and `--err`. */
export function selectStreams({ out, err }: Pick<LogsOptions, "out" | "err">): LogStream[] {
  return out === err ? [...LOG_STREAMS] : [out ? "out" : "err"];
}

function exitStatusOf({ hasShown, isIncomplete }: FollowResult): number | undefined {
  if (isIncomplete) return 3;
  return hasShown ? 0 : undefined;
}

/** Says what is waited for, where the chunk does not run. */
function explainWait(running: string[] | undefined, chunk: string | undefined, writers: Writers): void {
  if (running === undefined || chunk === undefined || running.includes(chunk)) return;
  const named = running.slice(0, MAX_NAMED_CHUNKS).join(", ");
  const rest = running.length > MAX_NAMED_CHUNKS ? `, and ${running.length - MAX_NAMED_CHUNKS} more` : "";
  const hint = running.length === 0 ? "No chunk runs." : `Running: ${named}${rest}.`;
  writers.err(`chunk ${chunk} does not run; waiting until it starts. ${hint}`);
}
