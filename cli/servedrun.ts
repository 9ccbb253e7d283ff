import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import { isPipelineRun, readAnyRunStatus } from "../executor/pipeline/anyrunstatus.js";
import { readPipelineHistory } from "../executor/pipeline/pipelinehistory.js";
import { isChunkName, LOG_STREAMS, listEarlierLogs, locateLog } from "../executor/run/record/logfiles.js";
import { readRunHistory } from "../executor/run/record/runhistory.js";
import { renderHistoryPage } from "../report/historypage.js";
import { LOGS_FOLDER } from "../report/page/loglinks.js";
import { renderPipelinePage } from "../report/pipelinepage.js";
import { explainReadError } from "./explainreaderror.js";

/** The run of a job or a pipeline whose report is served. It is read from its run directory alone. */
export class ServedRun {
  /** `path`: the run directory. */
  constructor(private readonly path: string) {}

  get title(): string {
    return basename(this.path);
  }

  /** Renders the report page as the run is now. Rejects with a MusterError where the run directory cannot be read. */
  async renderPage(): Promise<string> {
    const now = Date.now();
    try {
      if (isPipelineRun(this.path)) return renderPipelinePage(await readPipelineHistory(this.path, now), LOGS_FOLDER);
      return renderHistoryPage(await readRunHistory(this.path, now), LOGS_FOLDER);
    } catch (error) {
      throw explainReadError(error);
    }
  }

  /**
   * Returns what a chunk has printed, each stream below a line with its name: first its last attempt, then the earlier ones. `address`: the
   * address of a link of the page, without the folder of the logs. Resolves with undefined where the run has no such log.
   */
  async readLog(address: string): Promise<Buffer | undefined> {
    const place = this.findChunk(address);
    if (place === undefined) return undefined;
    const { folder, chunk } = place;
    const found: Buffer[] = [];
    for (const attempt of [undefined, ...listEarlierLogs(join(folder, "logs"), chunk)])
      for (const stream of LOG_STREAMS) {
        const bytes = await readPlainFile(locateLog(folder, chunk, stream, attempt));
        const which = attempt === undefined ? "" : `, attempt ${attempt}`;
        const head = `${found.length === 0 ? "" : "\n"}== ${stream === "out" ? "stdout" : "stderr"} of ${chunk}${which}\n`;
        if (bytes !== undefined && bytes.length > 0) found.push(Buffer.from(head), bytes);
      }
    return found.length === 0 ? undefined : Buffer.concat(found);
  }

  /** Finds the chunk that an address names, CHUNK or STEP/CHUNK, and the run directory or the folder of a step with its logs. */
  private findChunk(address: string): { folder: string; chunk: string } | undefined {
    const words = decodeWords(address);
    const chunk = words.at(-1);
    if (chunk === undefined || !isChunkName(chunk)) return undefined;
    if (!isPipelineRun(this.path)) return words.length === 1 ? { folder: this.path, chunk } : undefined;
    const steps = readAnyRunStatus(this.path, Date.now()).steps ?? [];
    const step = words.length === 2 ? steps.find((one) => one.step === words[0]) : undefined;
    return step === undefined ? undefined : { folder: join(this.path, step.step), chunk };
  }
}

/** Decodes the parts of an address; returns none where it is malformed. */
function decodeWords(address: string): string[] {
  try {
    return address.split("/").map(decodeURIComponent);
  } catch {
    return [];
  }
}

/** Reads a file. Resolves with undefined where there is none, or something else in its place: a link, a pipe. */
async function readPlainFile(file: string): Promise<Buffer | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  );
  if (handle === undefined) return undefined;
  try {
    return (await handle.stat()).isFile() ? await handle.readFile() : undefined;
  } finally {
    await handle.close();
  }
}
