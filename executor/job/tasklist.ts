import { listStagedFiles, specIdentity } from "./chunkspec.js";
import type { Chunk, ChunkSpec, Job, Template } from "./job.js";
import { fillTemplate } from "./template.js";
import type { UnitSpace } from "./unitspace.js";

/** A task. Its args may still hold `{chunk}`. */
export interface TaskEntry {
  readonly id: string;
  readonly spec: ChunkSpec;
  readonly gpu?: number;
  /** The seconds that the job file expects it to take. */
  readonly expectedSeconds?: number;
  readonly priority?: number;
  readonly params?: Job["params"];
}

/** What consecutive tasks usually have in common. */
interface SharedSpec extends Omit<TaskEntry, "id" | "spec" | "params">, Omit<ChunkSpec, "args" | "outputs"> {}

/** Args in less memory: a template without placeholders is a string. */
type PackedArgs = (string | Template)[];

/** A task in compact form: there may be a hundred thousand. */
class StoredTask {
  constructor(
    readonly id: string,
    readonly args: PackedArgs,
    readonly outputs: readonly string[],
    readonly shared: SharedSpec,
    readonly params: Job["params"] | undefined,
  ) {}

  get spec(): ChunkSpec {
    const { gpu: _, expectedSeconds: __, priority: ___, ...shared } = this.shared;
    const values = new Map([["chunk", this.id]]);
    const args = this.args.map((one) => (typeof one === "string" ? unpackText(one) : fillTemplate(one, values)));
    return { ...shared, args, outputs: this.outputs };
  }

  /** Returns what determines its results. Created while the identity is stringified: all of them at once would be large. */
  toJSON(): Record<string, unknown> {
    const params = this.params && Object.entries(this.params).map(([name, value]) => [name, `${value}`]);
    return { id: this.id, gpu: this.shared.gpu, params, ...specIdentity(this.spec) };
  }
}

/** The tasks of a job in file order. */
export class TaskList {
  readonly #tasks: StoredTask[] = [];
  readonly #index = new Map<string, number>();
  /** The args that were packed last, and their templates: tasks that inherit the job's args share them. */
  #templates: readonly Template[] = [];
  #packed: PackedArgs = [];

  add(task: TaskEntry): void {
    const { id, spec } = task;
    if (spec.args !== this.#templates) {
      this.#templates = spec.args;
      this.#packed = spec.args.map(packTemplate);
    }
    const last = this.#tasks.at(-1)?.shared;
    const common = last !== undefined && hasSameSpec(last, task) ? last : sharedSpec(task);
    this.#index.set(id, this.#tasks.length);
    this.#tasks.push(new StoredTask(id, this.#packed, spec.outputs, common, task.params));
  }

  toUnitSpace(): UnitSpace {
    const tasks = this.#tasks;
    const index = this.#index;
    const specs = {
      *[Symbol.iterator]() {
        for (const { shared } of tasks) yield shared;
      },
    };
    return {
      first: 0n,
      get units() {
        return BigInt(tasks.length);
      },
      outputs: {
        *[Symbol.iterator]() {
          for (const { outputs, shared } of tasks) yield { ...shared, outputs };
        },
      },
      identity: { tasks },
      chunk(start): Chunk {
        const task = tasks[Number(start)];
        if (task === undefined) throw new RangeError(`there is no task ${start}`);
        const { id, spec, params } = task;
        const { gpu, expectedSeconds, priority } = task.shared;
        return {
          id,
          spec,
          gpu,
          expectedSeconds,
          priority,
          ...(params === undefined ? {} : { params }),
          start,
          end: start + 1n,
        };
      },
      unitsOf(id) {
        const at = index.get(id);
        return at === undefined ? undefined : [BigInt(at), BigInt(at) + 1n];
      },
      specs,
      stagedFiles: () => listStagedFiles(specs),
    };
  }
}

function sharedSpec({ spec, gpu, expectedSeconds, priority }: TaskEntry): SharedSpec {
  const { args: _, outputs: __, ...shared } = spec;
  return { ...shared, gpu, expectedSeconds, priority };
}

function hasSameSpec(known: SharedSpec, { spec, gpu, expectedSeconds, priority }: TaskEntry): boolean {
  const { program, inputs, env, gpus, timeout, grace, state, takesStdout, found, appended } = spec;
  const isSameWork =
    known.program === program &&
    known.inputs === inputs &&
    known.env === env &&
    known.gpus === gpus &&
    known.takesStdout === takesStdout &&
    known.found === found &&
    known.appended === appended;
  const isSameRank = known.expectedSeconds === expectedSeconds && known.priority === priority;
  const isSameTime = known.timeout === timeout && known.grace === grace && known.state?.every === state?.every;
  return isSameWork && isSameRank && isSameTime && known.gpu === gpu;
}

function packTemplate(template: Template): string | Template {
  const [only] = template;
  if (template.length === 0) return "";
  return template.length === 1 && typeof only === "string" ? only : template;
}

function unpackText(text: string): Template {
  return text === "" ? [] : [text];
}
