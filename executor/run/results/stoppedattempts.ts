import { existsSync } from "node:fs";
import { join } from "node:path";
import { findIdFault } from "../../job/chunkids.js";
import type { DoneMessage, SavedState } from "../agent/protocol.js";
import type { ResultSource } from "../node/attachment.js";
import { errorText, hasPrinted } from "../node/attemptfailure.js";
import type { Journal } from "../record/journal.js";
import { LOG_STREAMS } from "../record/logfiles.js";
import type { LoggedAttempts } from "../record/loggedattempts.js";
import { saveLogs } from "./chunklogs.js";
import { ChunkStates } from "./chunkstates.js";
import { DiskReservation } from "./diskspace.js";
import { EarlierLogs } from "./earlierlogs.js";

/** Keeps the logs and states of attempts that were running, or had failed and were not collected, when their run was cancelled or halted. */
export class StoppedAttempts {
  private readonly states: ChunkStates;
  private readonly logs: string;
  private readonly earlierLogs: EarlierLogs;
  private readonly reservation: DiskReservation;

  /** `path`: the run directory. `journal`: of this run, open for writing. `report`: called where a state could not be kept. */
  constructor(
    path: string,
    private readonly loggedAttempts: LoggedAttempts,
    private readonly journal: Pick<Journal, "add">,
    private readonly report: (message: string) => void,
  ) {
    this.states = new ChunkStates(join(path, "state"));
    this.logs = join(path, "logs");
    this.earlierLogs = new EarlierLogs(this.logs);
    this.reservation = new DiskReservation(this.logs);
  }

  /** Saves the state of an attempt, and what it has printed. The message comes from a node: its chunk may be anything. */
  async save(done: DoneMessage, source: ResultSource): Promise<void> {
    if (findIdFault(done.chunk) !== undefined) return;
    if (done.state !== undefined) await this.saveState(done.id, done.chunk, done.state, source);
    if (hasPrinted(done)) await this.saveLogs(done, source);
  }

  private async saveState(id: string, chunk: string, state: SavedState, source: ResultSource): Promise<void> {
    try {
      await this.states.keep({ id, chunk }, state, source);
    } catch (error) {
      this.report(`the state of chunk ${chunk} could not be kept: ${errorText(error)}`);
    }
  }

  /**
   * Saves what an attempt has printed, as that of the last attempt of its chunk. The journal says where that failed. A chunk with a result
   * keeps the logs that it has.
   */
  private async saveLogs(done: DoneMessage, source: ResultSource): Promise<void> {
    const { id, chunk } = done;
    const earlier = this.loggedAttempts.find(chunk);
    if (earlier === undefined && LOG_STREAMS.some((stream) => existsSync(join(this.logs, `${chunk}.${stream}`))))
      return;
    const attempt = (earlier ?? 0) + 1;
    try {
      if (earlier !== undefined) this.earlierLogs.moveAside(chunk, earlier);
      this.loggedAttempts.record(chunk, attempt);
      const transfer = { source, printed: undefined, logs: this.logs, reservation: this.reservation };
      await saveLogs({ id, chunk: { id: chunk } }, done, transfer);
      this.journal.add({ e: "log", chunk, attempt });
    } catch (error) {
      this.journal.add({ e: "log", chunk, attempt, lostLog: errorText(error) });
    }
  }
}
