import { closeSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Semaphore } from "../../../fleet/semaphore.js";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import { findUnjoinableContent, MAGIC_BYTES } from "../../job/unjoinable.js";
import type { Attempt } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import { failpoint } from "../failpoint.js";
import type { ResultSource } from "../node/attachment.js";
import type { LoggedAttempts } from "../record/loggedattempts.js";
import type { RunDirectory } from "../record/rundir.js";
import { saveLogs } from "./chunklogs.js";
import { DiskReservation } from "./diskspace.js";
import { EarlierLogs } from "./earlierlogs.js";
import { explainNotANumber, NAN_ADVICE, parseOutput } from "./jsontext.js";
import type { OutputLimits } from "./matchoutputs.js";
import { leavePullFolder, preparePullFolder } from "./partialpulls.js";
import type { VerifiedOutput } from "./publish.js";
import { dropPulled, pullOutputs } from "./pulloutputs.js";

/** How many results are pulled at a time. Small outputs arrive with the agent's message and need no pull. */
const MAX_CONCURRENT_PULLS = 32;
/** How many of them come from one node, so that a few nodes that hang cannot hold up the others. */
const MAX_CONCURRENT_PULLS_PER_NODE = 8;
/** The limit for the output of a `collect: lines` chunk, which becomes one line of results.ndjson. */
const MAX_COLLECTED_LINE_BYTES = 64 << 20;

/** Larger outputs are not repeated in results.ndjson. */
const MAX_LINE_OUTPUT_BYTES = 64 << 10;
/** How much of an output that is not JSON a message shows. */
const SHOWN_BYTES = 60;

/** The outputs of an attempt. `json`: the text of the first one, if it is JSON; `warning`: why it is not, where that is an oversight. */
export interface FetchedOutputs {
  outputs: VerifiedOutput[];
  json?: string;
  warning?: string;
}

/** Fetches the outputs and logs of attempts from their nodes. */
export class ResultFetcher {
  /** The folder for pulled files that have no final name yet. */
  private readonly partialFolder: string;
  private readonly pulls = new Semaphore(MAX_CONCURRENT_PULLS);
  private readonly pullsBySource = new WeakMap<ResultSource, Semaphore>();
  private readonly disk: DiskReservation;
  private readonly logsFolder: string;
  private readonly earlierLogs: EarlierLogs;
  private readonly loggedAttempts: LoggedAttempts;

  /** Empties the folder for pulled files of a run, except for those that an earlier coordinator has pulled. */
  constructor(
    { path, results, replay }: Pick<RunDirectory, "path" | "results" | "replay">,
    private readonly job: Job,
  ) {
    this.partialFolder = results.partial;
    this.logsFolder = join(path, "logs");
    this.earlierLogs = new EarlierLogs(this.logsFolder);
    this.loggedAttempts = replay.loggedAttempts;
    preparePullFolder(this.partialFolder);
    this.disk = new DiskReservation(this.partialFolder);
  }

  /**
   * Fetches the logs and outputs of a successful attempt, or (`isPartial`) the logs and those outputs that there are of one that was stopped.
   * Returns the verified outputs, and the text of the first one if it is JSON. Rejects as pullOutputs does, with NOT_JSON (3) if `collect:
   * lines` needs JSON, and with UNJOINABLE (3).
   */
  async fetchOutputs(
    attempt: Attempt,
    done: DoneMessage,
    source: ResultSource,
    isPartial: boolean,
  ): Promise<FetchedOutputs> {
    const limits = { ...this.limits, isPartial };
    const pull = () => this.pulls.run(() => pullOutputs(attempt, done, source, this.disk, limits));
    const outputs = await this.pullsOf(source).run(pull);
    failpoint("pulled");
    try {
      await this.saveLogs(attempt, done, source, outputs);
      if (!isPartial) for (const output of outputs) rejectUnjoinable(output);
      return { outputs, ...this.readFirst(outputs[0], isPartial) };
    } catch (error) {
      dropPulled(outputs, error);
      throw error;
    }
  }

  /** Reads the first output, which may become a part of a line of results.ndjson. Throws NOT_JSON (3) if it has to. */
  private readFirst(output: VerifiedOutput | undefined, isPartial: boolean): Omit<FetchedOutputs, "outputs"> {
    const isCollected = this.job.collect === "lines";
    const mustBeJson = isCollected && !isPartial;
    if (output === undefined || output.size > (isCollected ? MAX_COLLECTED_LINE_BYTES : MAX_LINE_OUTPUT_BYTES))
      return {};
    const text = ("bytes" in output.content ? output.content.bytes : readFileSync(output.content.pulled)).toString();
    const parsed = parseOutput(text, this.job.nanAsNull === true);
    if (parsed.kind === "json") return { json: parsed.text };
    const warning = parsed.kind === "notANumber" ? explainNotANumber(nameOf(output), text, parsed) : undefined;
    if (!mustBeJson) return { warning };
    if (warning !== undefined) throw new MusterError("NOT_JSON", `${warning}. ${NAN_ADVICE}`);
    throw createNotJsonError(output);
  }

  /** Saves the logs of an attempt without a result. Those of a recheck are skipped: the logs of the first attempt are kept. */
  async fetchLogs(attempt: Attempt, done: DoneMessage, source: ResultSource): Promise<void> {
    await this.saveLogs(attempt, done, source, []);
    if (attempt.chunk.firstResult === undefined) this.loggedAttempts.record(attempt.chunk.id, attempt.number);
  }

  private async saveLogs(
    attempt: Attempt,
    done: DoneMessage,
    source: ResultSource,
    outputs: VerifiedOutput[],
  ): Promise<void> {
    if (attempt.chunk.firstResult !== undefined) return;
    const earlier = this.loggedAttempts.find(attempt.chunk.id);
    if (earlier !== undefined) this.earlierLogs.moveAside(attempt.chunk.id, earlier);
    this.loggedAttempts.forget(attempt.chunk.id);
    const printed = outputs.find(({ kind }) => kind === "stdout");
    return saveLogs(attempt, done, { source, printed, logs: this.logsFolder, reservation: this.disk });
  }

  private get limits(): Omit<OutputLimits, "isPartial"> {
    const { limits, collect, folders } = this.job;
    const most = (bytes: number) => (collect === "lines" ? Math.min(MAX_COLLECTED_LINE_BYTES, bytes) : bytes);
    return { limits: { ...limits, output: most(limits.output), stdout: most(limits.stdout) }, cwd: folders.cwd };
  }

  private pullsOf(source: ResultSource): Semaphore {
    const gate = this.pullsBySource.get(source) ?? new Semaphore(MAX_CONCURRENT_PULLS_PER_NODE);
    this.pullsBySource.set(source, gate);
    return gate;
  }

  /** Leaves what was pulled to the next coordinator; nothing may be in flight. */
  suspend(): void {
    leavePullFolder(this.partialFolder);
  }

  /** Deletes the folder for pulled files; nothing may be in flight. */
  close(): void {
    rmSync(this.partialFolder, { recursive: true, force: true });
  }
}

/** Throws UNJOINABLE (3) for a file that cannot be joined with those of other chunks. */
function rejectUnjoinable({ path, kind, content }: VerifiedOutput): void {
  const fault = kind === "appended" ? findUnjoinableContent(readStart(content)) : undefined;
  if (fault !== undefined) throw new MusterError("UNJOINABLE", `output ${path} ${fault.message}: ${fault.hint}`);
}

function createNotJsonError(output: VerifiedOutput): MusterError {
  const name = nameOf(output);
  if (output.size === 0) return new MusterError("NOT_JSON", `${name} is empty, but collect: lines needs JSON`);
  const start = readStart(output.content, SHOWN_BYTES).toString("utf8").trim();
  return new MusterError(
    "NOT_JSON",
    `${name} is not one JSON value, as collect: lines needs; it begins with ${JSON.stringify(start)}`,
  );
}

function nameOf({ kind, path }: VerifiedOutput): string {
  return kind === "stdout" ? "stdout" : `output ${path}`;
}

function readStart(content: VerifiedOutput["content"], length = MAGIC_BYTES): Buffer {
  if ("bytes" in content) return content.bytes.subarray(0, length);
  const fd = openSync(content.pulled, "r");
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(fd, bytes, 0, length, 0));
  } finally {
    closeSync(fd);
  }
}
