import type { Coordinator } from "../coordinator.js";
import { formatCancelled, formatFailure, formatResult, formatTask, formatValue, formatWant } from "./askline.js";
import { AskWant } from "./askwant.js";
import type { Outcomes } from "./outcomes.js";
import type { TaskSink } from "./tasksink.js";

/**
 * Decides what to tell one life of an `ask` program next: first the tasks of the queue, then all results, failures and cancelled tasks in the
 * order of their commits, intermediate values of what runs, and how many tasks are lacking.
 */
export class AskTeller {
  private readonly want = new AskWant();
  private nextTask: bigint;
  private readonly taskCount: bigint;
  private nextOutcome = 0;
  /** How many values of attempts in flight were looked at, by attempt. */
  private readonly seenValues = new Map<string, number>();
  /** The last step that was told, by chunk. */
  private readonly lastSteps = new Map<string, number>();

  /** `sink`: the queue that takes tasks; undefined = the job has none. */
  constructor(
    private readonly coordinator: Coordinator,
    private readonly outcomes: Outcomes,
    private readonly sink: TaskSink | undefined,
  ) {
    const { job } = coordinator.counters;
    this.nextTask = job.first;
    this.taskCount = sink?.acceptedCount ?? 0n;
  }

  /** Whether tasks were asked for and have not come. */
  get isWaiting(): boolean {
    return this.sink?.isOpen === true && this.want.isOpen;
  }

  /** Notes that tasks were added: what is still lacking is asked for again. */
  recordAnswer(): void {
    this.want.recordAnswer();
  }

  /** Returns the next line; undefined = there is nothing to tell. `mayAsk`: more tasks are welcome. */
  next(mayAsk: boolean): string | undefined {
    return this.tellTask() ?? this.tellOutcome() ?? this.tellValue() ?? (mayAsk ? this.ask() : undefined);
  }

  private tellTask(): string | undefined {
    if (this.nextTask >= this.taskCount) return undefined;
    const { job } = this.coordinator.counters;
    const { id, params = {} } = job.chunk(this.nextTask, ++this.nextTask);
    return formatTask(id, { ...job.params, ...params });
  }

  private tellOutcome(): string | undefined {
    if (this.nextOutcome >= this.outcomes.count) return undefined;
    const outcome = this.outcomes.get(this.nextOutcome++);
    if ("failure" in outcome) return formatFailure(outcome.failure, this.recordEnd(outcome.failure.chunk));
    if ("cancelled" in outcome) return formatCancelled(outcome.cancelled, this.recordEnd(outcome.cancelled));
    const line = this.outcomes.readLine(outcome);
    return formatResult(line, (chunk) => this.recordEnd(chunk));
  }

  /** Forgets the steps of a chunk that has ended. Returns its parameters. */
  private recordEnd(id: string) {
    this.lastSteps.delete(id);
    const { job } = this.coordinator.counters;
    const units = job.unitsOf(id);
    return { ...job.params, ...(units === undefined ? {} : job.chunk(...units).params) };
  }

  /** Tells each step of a chunk once, also where a second attempt reports it again. */
  private tellValue(): string | undefined {
    const { scheduler, values } = this.coordinator;
    for (const { attempt } of scheduler.view.inFlight()) {
      const { id, firstResult } = attempt.chunk;
      if (firstResult !== undefined) continue;
      const reported = values.find(attempt.id);
      for (let at = this.seenValues.get(attempt.id) ?? 0; at < reported.length; at++) {
        this.seenValues.set(attempt.id, at + 1);
        const [step] = reported[at]!;
        if (step <= (this.lastSteps.get(id) ?? Number.NEGATIVE_INFINITY)) continue;
        this.lastSteps.set(id, step);
        return formatValue(id, reported[at]!);
      }
    }
    for (const id of this.seenValues.keys()) if (scheduler.attempt(id) === undefined) this.seenValues.delete(id);
    return undefined;
  }

  private ask(): string | undefined {
    if (this.sink === undefined || !this.sink.isOpen) return undefined;
    const count = this.want.next(this.coordinator.demand);
    return count === undefined ? undefined : formatWant(count);
  }
}
