/** What the wish for tasks depends on. */
export interface TaskDemand {
  /** Slots that may get work now. */
  readonly usableSlots: number;
  /** Tasks that have neither a result nor failed for good. */
  readonly openTasks: number;
}

/** Decides when an `ask` program is asked for tasks, and for how many: once for each rise of the number of idle slots. */
export class AskWant {
  private asked = 0;

  /** Returns how many tasks to ask for now; undefined = not to ask. */
  next({ usableSlots, openTasks }: TaskDemand): number | undefined {
    const idle = Math.max(0, usableSlots - openTasks);
    if (idle <= this.asked) {
      this.asked = idle;
      return undefined;
    }
    this.asked = idle;
    return idle;
  }

  /** Whether tasks were asked for that are still lacking. */
  get isOpen(): boolean {
    return this.asked > 0;
  }

  /** The program has added tasks: what is still lacking is asked for again. */
  recordAnswer(): void {
    this.asked = 0;
  }
}
