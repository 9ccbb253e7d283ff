import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Semaphore } from "../../../fleet/semaphore.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import type { Attempt } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import { failpoint } from "../failpoint.js";
import type { ResultSource } from "../node/attachment.js";
import { saveLogs } from "./chunklogs.js";
import { readJsonText } from "./committer.js";
import { DiskReservation } from "./diskspace.js";
import type { VerifiedOutput } from "./publish.js";
import { deletePulled, pullOutputs } from "./pulloutputs.js";

/** How many results are pulled at a time. Small outputs arrive with the agent's message and need no pull. */
const MAX_CONCURRENT_PULLS = 32;
/** How many of them come from one node, so that a few nodes that hang cannot hold up the others. */
const MAX_CONCURRENT_PULLS_PER_NODE = 8;
/** The limit for the output of a `collect: lines` chunk, which becomes one line of results.ndjson. */
const MAX_COLLECTED_LINE_BYTES = 64 << 20;

/** Fetches the outputs and logs of attempts from their nodes. */
export class ResultFetcher {
  /** The folder for pulled files that have no final name yet. */
  readonly partialFolder: string;
  private readonly pulls = new Semaphore(MAX_CONCURRENT_PULLS);
  private readonly pullsBySource = new WeakMap<ResultSource, Semaphore>();
  private readonly disk: DiskReservation;
  private readonly logsFolder: string;

  /** Empties the folder for pulled files of the run directory `path`. */
  constructor(
    path: string,
    private readonly job: Job,
  ) {
    this.partialFolder = join(path, ".partial");
    this.logsFolder = join(path, "logs");
    this.close();
    mkdirSync(this.partialFolder);
    this.disk = new DiskReservation(this.partialFolder);
  }

  /**
   * Fetches the logs and outputs of a successful attempt. Returns the verified outputs, and the text of the first one if it is JSON.
   * Rejects as pullOutputs does, and with NOT_JSON (3) if `collect: lines` needs JSON.
   */
  async fetchOutputs(
    attempt: Attempt,
    done: DoneMessage,
    source: ResultSource,
  ): Promise<{ outputs: VerifiedOutput[]; json?: string }> {
    const lines = this.job.collect === "lines";
    const limit = lines ? Math.min(MAX_COLLECTED_LINE_BYTES, this.job.limits.output) : this.job.limits.output;
    const pull = () => this.pulls.run(() => pullOutputs(attempt, done, source, this.disk, limit));
    const outputs = await this.pullsOf(source).run(pull);
    failpoint("pulled");
    try {
      await this.fetchLogs(attempt, done, source);
      const json = readJsonText(outputs[0], lines ? MAX_COLLECTED_LINE_BYTES : undefined);
      if (lines && json === undefined) throw new MusterError("NOT_JSON", `output ${outputs[0]?.path} is not JSON`);
      return { outputs, json };
    } catch (error) {
      deletePulled(outputs);
      throw error;
    }
  }

  /** Saves the logs of an attempt. Those of a recheck are skipped: the logs of the first attempt are kept. */
  async fetchLogs(attempt: Attempt, done: DoneMessage, source: ResultSource): Promise<void> {
    if (attempt.chunk.firstResult !== undefined) return;
    return saveLogs(attempt, done, source, this.logsFolder, this.disk);
  }

  private pullsOf(source: ResultSource): Semaphore {
    const gate = this.pullsBySource.get(source) ?? new Semaphore(MAX_CONCURRENT_PULLS_PER_NODE);
    this.pullsBySource.set(source, gate);
    return gate;
  }

  /** Deletes the folder for pulled files; nothing may be in flight. */
  close(): void {
    rmSync(this.partialFolder, { recursive: true, force: true });
  }
}
