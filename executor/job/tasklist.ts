import type { Chunk, Program, StagedFile, Template, Work } from "./job.js";
import { identityOf, stagedOf } from "./recipe.js";
import type { Space } from "./space.js";
import { fill } from "./template.js";

/** One task, ready to be a chunk. Its args may still hold `{chunk}`. */
export interface Task {
  id: string;
  work: Work;
  gpu?: number;
  /** Seconds that it is said to take. */
  expect?: number;
  priority?: number;
}

/** What tasks that stand beside one another mostly have in common. */
interface Common extends Omit<Task, "id" | "work"> {
  program: Program;
  inputs: StagedFile[];
  env: Record<string, string>;
  timeout?: number;
}

/** Args in less memory: a template that is plain text is a string. */
type Packed = (string | Template)[];

/** A task as it is kept: there may be a hundred thousand. */
class Kept {
  constructor(
    readonly id: string,
    readonly args: Packed,
    readonly outputs: string[],
    readonly common: Common,
  ) {}

  get work(): Work {
    const { program, inputs, env, timeout } = this.common;
    const values = new Map([["chunk", this.id]]);
    const args = this.args.map((one) => (typeof one === "string" ? plain(one) : fill(one, values)));
    return { program, args, inputs, outputs: this.outputs, env, timeout };
  }

  /** What decides over its results. Made when the text is: all of them at one time would be large. */
  toJSON(): Record<string, unknown> {
    return { id: this.id, gpu: this.common.gpu, ...identityOf(this.work) };
  }
}

/** Tasks in the order of their file. */
export class TaskList {
  readonly #tasks: Kept[] = [];
  readonly #index = new Map<string, number>();
  /** Args that were packed last, and of what: tasks that take those of the job share them. */
  #templates: Template[] = [];
  #packed: Packed = [];

  add(task: Task): void {
    const { id, work } = task;
    if (work.args !== this.#templates) {
      this.#templates = work.args;
      this.#packed = work.args.map(pack);
    }
    const last = this.#tasks.at(-1)?.common;
    const common = last !== undefined && isCommon(last, task) ? last : commonOf(task);
    this.#index.set(id, this.#tasks.length);
    this.#tasks.push(new Kept(id, this.#packed, work.outputs, common));
  }

  space(): Space {
    const tasks = this.#tasks;
    const index = this.#index;
    return {
      first: 0n,
      units: BigInt(tasks.length),
      outputs: {
        *[Symbol.iterator]() {
          for (const { outputs } of tasks) yield outputs;
        },
      },
      identity: { tasks },
      chunk(start): Chunk {
        const task = tasks[Number(start)];
        if (task === undefined) throw new RangeError(`there is no task ${start}`);
        const { gpu, expect, priority } = task.common;
        return { id: task.id, work: task.work, gpu, expect, priority, start, end: start + 1n };
      },
      unitsOf(id) {
        const at = index.get(id);
        return at === undefined ? undefined : [BigInt(at), BigInt(at) + 1n];
      },
      stagedFiles: () => stagedOf(tasks.map(({ common }) => common)),
    };
  }
}

function commonOf({ work: { program, inputs, env, timeout }, gpu, expect, priority }: Task): Common {
  return { program, inputs, env, timeout, gpu, expect, priority };
}

function isCommon(known: Common, { work, gpu, expect, priority }: Task): boolean {
  const { program, inputs, env, timeout } = work;
  const isSameWork = known.program === program && known.inputs === inputs && known.env === env;
  const isSameRank = known.expect === expect && known.priority === priority;
  return isSameWork && isSameRank && known.timeout === timeout && known.gpu === gpu;
}

function pack(template: Template): string | Template {
  const [only] = template;
  if (template.length === 0) return "";
  return template.length === 1 && typeof only === "string" ? only : template;
}

function plain(text: string): Template {
  return text === "" ? [] : [text];
}
