import type { Source } from "../../../schemas/source.js";
import type { ChunkSpec, Params, Program, StagedFile, StateSettings, Template } from "../chunk.js";

/** A program whose script, if it has one, is a file of the form `F`. */
export type ProgramOf<F> =
  | Exclude<Program, { kind: "script" }>
  | Readonly<{ kind: "script"; script: F; prefix: readonly string[] }>;

/**
 * A task of a queue: what it does not inherit from its job. `F`: how it names files, here by their paths on this machine. It is JSON,
 * and the same text for the same task.
 */
export interface TaskDefinition<F = StagedFile> {
  readonly id: string;
  /** Its own values for parameters of the job. */
  readonly params?: Params;
  /** With it, no arguments are inherited. */
  readonly program?: ProgramOf<F>;
  /** The words of its command after the program. */
  readonly words?: readonly Template[];
  readonly args?: readonly Template[];
  /** Added to those of the job. */
  readonly inputs?: readonly F[];
  readonly outputs?: Pick<ChunkSpec, "outputs" | "takesStdout" | "found" | "appended">;
  /** Added to that of the job. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeout?: number;
  readonly grace?: number;
  readonly state?: StateSettings | false;
  readonly gpu?: number;
  /** Seconds. */
  readonly expect?: number;
  readonly priority?: number;
}

/** The queue of a job: its tasks, numbered from 0 in the order in which they were accepted. It grows while the job runs. */
export interface JobQueue {
  /** Seconds without work after which it closes by itself; undefined = it does not. */
  readonly idleSeconds?: number;
  /** How many tasks were accepted. */
  readonly accepted: bigint;
  /** Whether more tasks may come. */
  readonly isOpen: boolean;
  /**
   * Reads tasks from the result of `parseTasks`, with paths relative to the job's folder. Throws InvalidFileError with every problem:
   * all of them are valid, or none is returned.
   */
  read(source: Source): TaskDefinition[];
  /** Adds tasks, and returns their units. Throws RangeError where a task has no program, and neither has the job. */
  accept(tasks: readonly TaskDefinition[]): [start: bigint, end: bigint];
  /** Sets how many of the accepted tasks are cancelled. */
  setCancelled(count: bigint): void;
  /** Why it has closed by itself: it had no work for `idleSeconds`. */
  readonly closedBy?: "idle";
  /** No more tasks will come. `by`: why it closes by itself. */
  close(by?: "idle"): void;
}
