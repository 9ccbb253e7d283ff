/** From how many tasks on, or characters of them, a buffer is full. */
const MAX_TASKS = 1000;
const MAX_CHARS = 16 << 20;

/** A task as an `ask` program has printed it. `line`: the number of the line in that life. */
export interface PrintedTask {
  readonly id: string;
  readonly text: string;
  readonly line: number;
}

/** Tasks that an `ask` program has printed and that are not in the queue yet, in their order. */
export class TaskBuffer {
  private tasks: PrintedTask[] = [];
  private chars = 0;

  get isEmpty(): boolean {
    return this.tasks.length === 0;
  }

  /** Whether no more tasks are to be read for now. */
  get isFull(): boolean {
    return this.tasks.length >= MAX_TASKS || this.chars >= MAX_CHARS;
  }

  has(id: string): boolean {
    return this.tasks.some((task) => task.id === id);
  }

  add(task: PrintedTask): void {
    this.tasks.push(task);
    this.chars += task.text.length;
  }

  /** Returns all tasks, and forgets them. */
  takeAll(): readonly PrintedTask[] {
    const { tasks } = this;
    this.tasks = [];
    this.chars = 0;
    return tasks;
  }
}
