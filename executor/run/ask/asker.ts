import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MusterError } from "../../../schemas/errors.js";
import type { Coordinator } from "../coordinator.js";
import { GroupLock } from "../grouplock.js";
import { HAS_ENDED, stopChunk } from "../stopchunk.js";
import { monotonicSeconds } from "../timer.js";
import { formatRefusal, parseAnswer, showLine } from "./askline.js";
import { AskProcess, END_SECONDS, type PrintedLine, SUCCESS } from "./askprocess.js";
import { AskRefusals, describeRefusal } from "./askrefusals.js";
import { AskRestarts, MAX_DEATHS } from "./askrestarts.js";
import { AskTeller } from "./askteller.js";
import { LateAnswers } from "./lateanswers.js";
import type { Outcomes } from "./outcomes.js";
import { type PrintedTask, TaskBuffer } from "./taskbuffer.js";
import type { TaskSink } from "./tasksink.js";

/** How often to look whether slots are idle. */
const POLL_MS = 200;
/** A program that was asked for tasks is expected to answer in this time; then it is reported, and again after twice as long. */
const LATE_SECONDS = 30;
/** Tasks that wait for slots, from which on no more are added: times the slots, and at least. */
const MAX_WAITING_PER_SLOT = 4;
const MIN_MAX_WAITING = 1000;
const OUTCOME_EVENTS = ["committed", "failed", "cancelled", "valued"] as const;

/** What an asker works with. `sink`: adds tasks to the queue of the run; undefined = it is no queue. */
export interface AskerOptions {
  argv: readonly string[];
  path: string;
  coordinator: Coordinator;
  outcomes: Outcomes;
  sink: TaskSink | undefined;
  notice: (message: string) => void;
}

/**
 * Runs the `ask` program of a job beside the run: tells it what chunks came to, each result once in a life and never before it is committed,
 * and carries out what it answers. Tasks that it adds are on disk before it is told anything more. One that dies is started again and
 * told everything from the beginning.
 */
export class Asker {
  private readonly stopped = new AbortController();
  private readonly restarts = new AskRestarts();
  private readonly log: string;
  private readonly refusals: AskRefusals;
  private loop: Promise<void> = Promise.resolve();
  private ending: Promise<void> | undefined;
  /** Whether it has not said anything since its life began, or since it was told a result or asked for tasks. */
  private isSilent = true;
  /** Whether it has said that it has no more tasks. */
  private isDone = false;

  constructor(private readonly options: AskerOptions) {
    const { coordinator, outcomes, path } = options;
    this.log = join(path, "ask.log");
    this.refusals = new AskRefusals(this.log, coordinator.counters, options.notice);
    // Outcomes are counted from the first one on, whether or not the program runs.
    coordinator.chunkEvents.on("committed", (count) => outcomes.addResults(count));
    coordinator.chunkEvents.on("failed", (failure) => outcomes.addFailure(failure));
    coordinator.chunkEvents.on("cancelled", (chunk) => outcomes.addCancelled(chunk));
  }

  /** Whether tasks may still come, although there are none now: it thinks, or is about to be started again. */
  get isAwaited(): boolean {
    return this.isSilent && !this.isDone && !this.stopped.signal.aborted;
  }

  start(): void {
    const { coordinator } = this.options;
    this.loop = this.run().catch((error: unknown) => coordinator.end({ state: "broken", error }));
  }

  /** Ends the program; later calls wait for that. `isComplete`: the run is done, so that the program may end by itself. */
  async stop(isComplete: boolean): Promise<void> {
    this.stopped.abort(isComplete);
    this.ending ??= this.loop.finally(() => this.options.outcomes.close());
    await this.ending;
  }

  private async run(): Promise<void> {
    const { path, coordinator, argv } = this.options;
    const { job } = coordinator.counters;
    const lock = await GroupLock.take(join(path, "ask.lock"), this.stopped.signal);
    if (lock === undefined) return;
    try {
      while (!this.stopped.signal.aborted) {
        const program = AskProcess.start({ argv, cwd: job.folder, log: this.log }, lock);
        const { reason, hasProgressed } = await this.live(program);
        if (this.stopped.signal.aborted || this.isDone || reason === undefined) return;
        const pause = this.restarts.recordDeath(hasProgressed);
        const what = `ask: ${argv.join(" ")} has ended: ${reason}; its log is ${this.log}`;
        if (pause === undefined)
          return this.halt(`${what}. It died ${MAX_DEATHS} times without adding or hearing anything new`);
        this.isSilent = true;
        this.options.notice(`${what}. It starts again in ${pause} s`);
        await sleep(pause * 1000, undefined, { signal: this.stopped.signal }).catch(() => {});
      }
    } finally {
      lock.close();
    }
  }

  /** Serves one life of the program. `reason`: how it died; undefined = it needs no other life. */
  private async live(program: AskProcess): Promise<{ reason: string | undefined; hasProgressed: boolean }> {
    const { coordinator, outcomes, sink } = this.options;
    const began = outcomes.count;
    const teller = new AskTeller(coordinator, outcomes, sink);
    const tasks = new TaskBuffer();
    let addedCount = 0;
    const late = new LateAnswers(LATE_SECONDS);
    try {
      for (;;) {
        if (this.stopped.signal.aborted) {
          await this.finish(program, teller);
          return { reason: undefined, hasProgressed: true };
        }
        if (program.hasLines && !tasks.isFull) {
          late.recordAnswer();
          this.isSilent = false;
          addedCount += await this.answer(program, teller, tasks);
          continue;
        }
        if (!tasks.isEmpty && (program.ended !== undefined || !this.isBackPressured())) {
          addedCount += await this.addTasks(tasks.takeAll(), program, teller);
          continue;
        }
        if (program.ended !== undefined) break;
        const line = program.canWrite ? teller.next(!this.isDone) : undefined;
        if (line !== undefined) {
          program.write(line);
          this.isSilent = true;
          continue;
        }
        if (late.isDue(teller.isWaiting, monotonicSeconds())) this.options.notice(this.describeLateness(late.seconds));
        await this.waitForChange(program);
      }
      if (program.ended === SUCCESS) await this.close();
      const hasProgressed = addedCount > 0 || outcomes.count > began;
      return { reason: program.ended === SUCCESS ? undefined : program.ended, hasProgressed };
    } finally {
      await program.end(0);
    }
  }

  /** Tells the program what is left when the run is done, and lets it end by itself. */
  private async finish(program: AskProcess, teller: AskTeller): Promise<void> {
    if (this.stopped.signal.reason !== true) return;
    const deadline = monotonicSeconds() + END_SECONDS;
    while (program.ended === undefined && monotonicSeconds() < deadline) {
      // A program whose output is not read may not read either.
      while (program.takeLine() !== undefined);
      if (!program.canWrite) {
        await this.waitForChange(program);
        continue;
      }
      const line = teller.next(false);
      if (line === undefined) break;
      program.write(line);
    }
    await program.end(END_SECONDS);
  }

  /** Handles what the program has said. Its tasks go to `tasks`, but for those that another line is about. Returns how many were added. */
  private async answer(program: AskProcess, teller: AskTeller, tasks: TaskBuffer): Promise<number> {
    while (!tasks.isFull) {
      const line = program.takeLine();
      if (line === undefined) return 0;
      const answer = parseAnswer(line.text);
      if (answer.kind === "task") {
        tasks.add({ ...answer, line: line.number });
        continue;
      }
      const needsTasks = answer.kind === "done" || (answer.kind === "stop" && tasks.has(answer.id));
      const added = needsTasks ? await this.addTasks(tasks.takeAll(), program, teller) : 0;
      if (answer.kind === "unknown") this.halt(this.describeUnknown(line, answer.why));
      else if (answer.kind === "done") await this.close();
      else await this.stopChunk(answer.id, line.number, program);
      return added;
    }
    return 0;
  }

  /** Adds tasks to the queue; where one of them is refused, each by itself. */
  private async addTasks(tasks: readonly PrintedTask[], program: AskProcess, teller: AskTeller): Promise<number> {
    const { sink } = this.options;
    if (tasks.length === 0) return 0;
    if (sink === undefined) {
      for (const task of tasks) this.refuseTask(task, "the job is no queue: it takes no tasks", program);
      return 0;
    }
    try {
      const added = await sink.add(tasks.map(({ text }) => text));
      if (added > 0) teller.recordAnswer();
      this.refusals.recordAccepted();
      return added;
    } catch (error) {
      if (error instanceof MusterError && error.code === "HELD" && !this.stopped.signal.aborted) {
        this.options.notice(`ask: ${error.message}; its tasks wait`);
        return this.addTasks(tasks, program, teller);
      }
      if (!(error instanceof MusterError) || !sink.isRefusal(error)) throw error;
      if (tasks.length === 1) {
        this.refuseTask(tasks[0]!, error, program);
        return 0;
      }
    }
    let added = 0;
    for (const task of tasks) added += await this.addTasks([task], program, teller);
    return added;
  }

  private refuseTask({ id, line }: PrintedTask, error: Error | string, program: AskProcess): void {
    const reason = describeRefusal(line, error);
    this.refusals.record({ what: "task", id, reason });
    program.write(formatRefusal(id, reason));
  }

  private async stopChunk(id: string, line: number, program: AskProcess): Promise<void> {
    const why = await stopChunk(this.options.coordinator, id);
    if (why === undefined) return;
    const refusal = { what: "stop", id, reason: describeRefusal(line, why) } as const;
    if (why === HAS_ENDED) this.refusals.recordLateStop(refusal);
    else this.refusals.record(refusal);
    program.write(formatRefusal(id, refusal.reason));
  }

  /** The program has no more tasks. */
  private async close(): Promise<void> {
    this.isDone = true;
    await this.options.sink?.close();
  }

  /** Whether so many tasks wait that no more are added. */
  private isBackPressured(): boolean {
    if (this.options.sink === undefined) return false;
    const { usableSlots, openTasks } = this.options.coordinator.demand;
    return openTasks - usableSlots >= Math.max(MIN_MAX_WAITING, MAX_WAITING_PER_SLOT * usableSlots);
  }

  private describeLateness(seconds: number): string {
    const { lastTaskReason } = this.refusals;
    return lastTaskReason === undefined
      ? `ask: no answer for ${seconds} s though slots are idle; the program's log is ${this.log}`
      : `ask: slots are idle for ${seconds} s, because the last task of the program was refused: ${lastTaskReason}`;
  }

  private describeUnknown({ text, number }: PrintedLine, why: string): string {
    return `ask: line ${number} of what the program prints ${why}: ${showLine(text)}. Print messages to stderr: they go to ${this.log}`;
  }

  private halt(reason: string): void {
    this.options.coordinator.end({ state: "halted", halt: { reason, failures: [] } });
    this.stopped.abort(false);
  }

  private async waitForChange(program: AskProcess): Promise<void> {
    const { chunkEvents } = this.options.coordinator;
    let wake = () => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const timer = setTimeout(wake, POLL_MS);
    program.once("change", wake);
    for (const event of OUTCOME_EVENTS) chunkEvents.once(event, wake);
    this.stopped.signal.addEventListener("abort", wake, { once: true });
    await woken;
    clearTimeout(timer);
    program.off("change", wake);
    for (const event of OUTCOME_EVENTS) chunkEvents.off(event, wake);
    this.stopped.signal.removeEventListener("abort", wake);
  }
}
