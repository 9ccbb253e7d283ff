import type { Params, Template } from "../chunk.js";
import { fillParams } from "../params.js";
import type { SpecDraft } from "../specreader.js";
import { TaskList } from "../tasklist.js";
import type { JobQueue, TaskDefinition } from "./jobqueue.js";
import { createTaskSpec } from "./taskspec.js";

/** What the tasks of a queue have in common: what they inherit, and the job's `params` and `expect`. */
export interface QueueDefaults {
  readonly base: SpecDraft;
  readonly params: Params;
  readonly expectedSeconds: number | undefined;
  readonly idleSeconds: number | undefined;
  readonly read: JobQueue["read"];
}

/** The tasks that a queue has accepted. Those without parameters of their own share what they inherit. */
export class QueuedTasks implements JobQueue {
  readonly #list = new TaskList();
  readonly space = this.#list.toUnitSpace();
  readonly read: JobQueue["read"];
  readonly #filled = new Map<readonly Template[], readonly Template[]>();
  #cancelledCount = 0n;
  #isOpen = true;
  #closedBy: "idle" | undefined;

  constructor(private readonly defaults: QueueDefaults) {
    this.read = defaults.read;
  }

  get idleSeconds(): number | undefined {
    return this.defaults.idleSeconds;
  }

  get accepted(): bigint {
    return this.space.units;
  }

  /** How many of them are to be done: those that were not cancelled. */
  get units(): bigint {
    return this.accepted - this.#cancelledCount;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get closedBy(): "idle" | undefined {
    return this.#closedBy;
  }

  close(by?: "idle"): void {
    this.#isOpen = false;
    this.#closedBy = by;
  }

  setCancelled(count: bigint): void {
    this.#cancelledCount = count;
  }

  accept(tasks: readonly TaskDefinition[]): [start: bigint, end: bigint] {
    const start = this.accepted;
    const { base, params, expectedSeconds } = this.defaults;
    for (const task of tasks) {
      const fill = (templates: readonly Template[]) =>
        task.params === undefined ? this.#fillOnce(templates) : fillParams(templates, { ...params, ...task.params });
      const spec = createTaskSpec(task, base, fill);
      if (spec === undefined) throw new RangeError(`the task ${task.id} has no program, and neither has its job`);
      const { id, gpu, priority } = task;
      this.#list.add({ id, spec, gpu, priority, params: task.params, expectedSeconds: task.expect ?? expectedSeconds });
    }
    return [start, this.accepted];
  }

  #fillOnce(templates: readonly Template[]): readonly Template[] {
    const known = this.#filled.get(templates) ?? fillParams(templates, this.defaults.params);
    this.#filled.set(templates, known);
    return known;
  }
}
