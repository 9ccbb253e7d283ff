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

/** Results pulled from all nodes at once; those that came along with their manifest need no pull. */
const MAX_CONCURRENT_PULLS = 32;
/** And from one node, so that a few that hang do not keep all others waiting. */
const MAX_CONCURRENT_PULLS_PER_NODE = 8;
/** Output of a `collect: lines` chunk, bytes: it becomes one line. */
const MAX_COLLECTED_LINE_BYTES = 64 << 20;

/** Takes in what attempts have left on their nodes: outputs and logs. */
export class ResultFetcher {
  /** Where files lie that are here and have no final name yet; empty at first. */
  readonly partialFolder: string;
  private readonly pulls = new Semaphore(MAX_CONCURRENT_PULLS);
  private readonly ofNode = new WeakMap<ResultSource, Semaphore>();
  private readonly disk: DiskReservation;
  private readonly logsFolder: string;

  /** `path`: the run directory. */
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

  /** The outputs of an attempt that succeeded, verified, and the text of the first where it is JSON. Rejects as pullOutputs does. */
  async fetchOutputs(
    attempt: Attempt,
    done: DoneMessage,
    origin: ResultSource,
  ): Promise<{ fetchOutputs: VerifiedOutput[]; json?: string }> {
    const lines = this.job.collect === "lines";
    const limit = lines ? Math.min(MAX_COLLECTED_LINE_BYTES, this.job.limits.output) : this.job.limits.output;
    const pull = () => this.pulls.run(() => pullOutputs(attempt, done, origin, this.disk, limit));
    const outputs = await this.gateOf(origin).run(pull);
    failpoint("pulled");
    try {
      await this.fetchLogs(attempt, done, origin);
      const json = readJsonText(outputs[0], lines ? MAX_COLLECTED_LINE_BYTES : undefined);
      if (lines && json === undefined) throw new MusterError("NOT_JSON", 3, `output ${outputs[0]?.path} is not JSON`);
      return { fetchOutputs: outputs, json };
    } catch (error) {
      deletePulled(outputs);
      throw error;
    }
  }

  /** What an attempt printed; of a chunk that is computed again, the first one counts. */
  async fetchLogs(attempt: Attempt, done: DoneMessage, origin: ResultSource): Promise<void> {
    if (attempt.chunk.firstResult !== undefined) return;
    return saveLogs(attempt, done, origin, this.logsFolder, this.disk);
  }

  private gateOf(origin: ResultSource): Semaphore {
    const gate = this.ofNode.get(origin) ?? new Semaphore(MAX_CONCURRENT_PULLS_PER_NODE);
    this.ofNode.set(origin, gate);
    return gate;
  }

  /** Nothing is on its way any more. */
  close(): void {
    rmSync(this.partialFolder, { recursive: true, force: true });
  }
}
