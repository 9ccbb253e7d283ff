import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Gate } from "../../../fleet/gate.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import type { Attempt } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import { killPoint } from "../killpoint.js";
import { asJson } from "./commit.js";
import { Room } from "./disk.js";
import { keepLogs } from "./logs.js";
import type { Verified } from "./publish.js";
import { discard, type Origin, pullOutputs } from "./pull.js";

/** Results pulled from all nodes at once; those that came along with their manifest need no pull. */
const PULLS_TOGETHER = 32;
/** And from one node, so that a few that hang do not keep all others waiting. */
const PULLS_OF_NODE = 8;
/** Output of a `collect: lines` chunk, bytes: it becomes one line. */
const LINE_LIMIT = 64 << 20;

/** Takes in what attempts have left on their nodes: outputs and logs. */
export class Intake {
  /** Where files lie that are here and have no final name yet; empty at first. */
  readonly partial: string;
  private readonly pulls = new Gate(PULLS_TOGETHER);
  private readonly ofNode = new WeakMap<Origin, Gate>();
  private readonly room: Room;
  private readonly logs: string;

  /** `path`: the run directory. */
  constructor(
    path: string,
    private readonly job: Job,
  ) {
    this.partial = join(path, ".partial");
    this.logs = join(path, "logs");
    this.close();
    mkdirSync(this.partial);
    this.room = new Room(this.partial);
  }

  /** The outputs of an attempt that succeeded, verified, and the text of the first where it is JSON. Rejects as pullOutputs does. */
  async outputs(attempt: Attempt, done: DoneMessage, origin: Origin): Promise<{ outputs: Verified[]; json?: string }> {
    const lines = this.job.collect === "lines";
    const limit = lines ? Math.min(LINE_LIMIT, this.job.limits.output) : this.job.limits.output;
    const pull = () => this.pulls.pass(() => pullOutputs(attempt, done, origin, this.room, limit));
    const outputs = await this.gateOf(origin).pass(pull);
    killPoint("pulled");
    try {
      await this.keepLogs(attempt, done, origin);
      const json = asJson(outputs[0], lines ? LINE_LIMIT : undefined);
      if (lines && json === undefined) throw new MusterError("NOT_JSON", 3, `output ${outputs[0]?.path} is not JSON`);
      return { outputs, json };
    } catch (error) {
      discard(outputs);
      throw error;
    }
  }

  /** What an attempt printed; of a chunk that is computed again, the first one counts. */
  async keepLogs(attempt: Attempt, done: DoneMessage, origin: Origin): Promise<void> {
    if (attempt.chunk.firstResult !== undefined) return;
    return keepLogs(attempt, done, origin, this.logs, this.room);
  }

  private gateOf(origin: Origin): Gate {
    const gate = this.ofNode.get(origin) ?? new Gate(PULLS_OF_NODE);
    this.ofNode.set(origin, gate);
    return gate;
  }

  /** Nothing is on its way any more. */
  close(): void {
    rmSync(this.partial, { recursive: true, force: true });
  }
}
