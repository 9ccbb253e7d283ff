import { chmodSync, existsSync, readlinkSync, renameSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { writeDetachedRecord } from "../executor/run/record/detachedrecord.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import type { BackgroundMessage } from "./backgroundprocess.js";
import { buildErrorDocument, exitStatusOf, formatError } from "./errortext.js";
import type { RunCommandOptions } from "./options.js";
import { run } from "./run.js";
import { buildRunArguments } from "./runarguments.js";

const LOG_FILE = "detached.log";
/** The link to the file that this process's stdout is. */
const STDOUT_LINK = "/proc/self/fd/1";

/**
 * `muster run --background FILE`, which startInBackground starts: runs as `muster run` does. What it prints goes to the process that has
 * started it, too, until a node is attached. Returns the exit status.
 */
export async function runInBackground(file: string, options: RunCommandOptions, writers: Writers): Promise<number> {
  if (process.send === undefined)
    throw new UsageError("--background is for muster itself", "Use --detach to run in the background.");
  const parent = new ParentProcess();
  const shown = parent.tee(writers);
  let path = "";
  let log = "";
  let isRecorded = false;
  const record = () => {
    // The run directory is chosen, and a resumed run adopts nothing.
    const again = buildRunArguments(file, { ...options, out: path, fresh: false, adopt: false });
    if (!isRecorded) writeDetachedRecord(path, { arguments: again, cwd: process.cwd() });
    isRecorded = true;
  };
  const started = (directory: string) => {
    path = directory;
    log = moveLog(path);
    // A new run counts as detached once it goes on without its terminal; one that is resumed is still to be resumed if it fails now.
    if (options.background === "resumed") record();
  };
  const attached = () => {
    record();
    parent.leave({ type: "attached", run: { path, log, pid: process.pid } });
  };
  try {
    return await run(file, options, shown, { started, attached });
  } catch (error) {
    shown.err(formatError(error));
    if (options.json) shown.out(formatJson(buildErrorDocument(error), 2));
    return exitStatusOf(error);
  } finally {
    await parent.flush();
  }
}

/** The process that has started this one. It may end at any time. */
class ParentProcess {
  private sent: Promise<void> = Promise.resolve();
  private isLeft = false;

  /** Returns writers that print, and send the same to the parent. */
  tee({ out, err }: Writers): Writers {
    return {
      out: (text) => {
        out(text);
        this.send({ type: "printed", stream: "out", text });
      },
      err: (text) => {
        err(text);
        this.send({ type: "printed", stream: "err", text });
      },
    };
  }

  /** Sends the last message. */
  leave(message: BackgroundMessage): void {
    this.send(message);
    this.isLeft = true;
    void this.sent.then(() => process.connected && process.disconnect());
  }

  /** Resolves when everything is sent. */
  flush(): Promise<void> {
    return this.sent;
  }

  private send(message: BackgroundMessage): void {
    if (this.isLeft || !process.connected) return;
    const sending = new Promise<void>((resolve) => process.send!(message, undefined, undefined, () => resolve()));
    this.sent = this.sent.then(() => sending);
  }
}

/**
 * Moves the log of this process into the run directory, which it has locked, and returns its path. The log of the session before is kept
 * as detached.log.1.
 */
function moveLog(path: string): string {
  const log = join(path, LOG_FILE);
  const now = readlinkSync(STDOUT_LINK);
  if (existsSync(log)) renameSync(log, `${log}.1`);
  chmodSync(now, statSync(join(path, "journal.ndjson")).mode & 0o666);
  try {
    renameSync(now, log);
  } catch (error) {
    // The run directory is a link to another file system.
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    symlinkSync(now, log);
  }
  return log;
}
