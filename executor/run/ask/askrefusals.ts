import { appendFileSync } from "node:fs";
import { InvalidFileError } from "../../../schemas/errors.js";
import type { RunCounters } from "../record/counters.js";
import { OWN_LINE_PREFIX } from "./lastwords.js";

/** Further refusals of a session are counted, and their number is printed at each power of ten. */
const MAX_NOTICES = 5;
/** A program that is refused for ever must not fill the disk. */
const MAX_LOGGED = 1000;

/** What an `ask` program wanted and did not get. */
export interface Refusal {
  readonly what: "task" | "stop";
  readonly id: string;
  /** It is told to the program, and begins with the place: "ask:7:20: ...". */
  readonly reason: string;
}

/** Returns why the line with this number is refused, beginning with its place. `error`: from adding this task alone, or a reason. */
export function describeRefusal(line: number, error: Error | string): string {
  if (error instanceof InvalidFileError)
    return new InvalidFileError(error.problems.map((problem) => ({ ...problem, line }))).message;
  return `ask:${line}: ${typeof error === "string" ? error : error.message}`;
}

/** Shows people what an `ask` program was refused: the first ones in the output of the run, a thousand in its log. Tasks are counted. */
export class AskRefusals {
  private count = 0;
  private lastReason: string | undefined;

  constructor(
    private readonly log: string,
    private readonly counters: Pick<RunCounters, "refusedTasks">,
    private readonly notice: (message: string) => void,
  ) {}

  /** Why the last task was refused, where none was accepted since. */
  get lastTaskReason(): string | undefined {
    return this.lastReason;
  }

  record({ what, id, reason }: Refusal): void {
    this.count++;
    if (what === "task") {
      this.counters.refusedTasks++;
      this.lastReason = reason;
    }
    const text = `${what === "task" ? "task" : "the stop of"} ${JSON.stringify(id)} is refused: ${reason}`;
    if (this.count <= MAX_NOTICES) this.notice(`ask: ${text}`);
    else if (isPowerOfTen(this.count)) this.notice(`ask: ${this.count} tasks and stops were refused; see ${this.log}`);
    this.write(text);
  }

  /** Notes a stop that came too late. That is no fault of the program, so only its log has it. */
  recordLateStop({ id, reason }: Refusal): void {
    this.count++;
    this.write(`the stop of ${JSON.stringify(id)} is refused: ${reason}`);
  }

  /** Notes that a task was accepted. */
  recordAccepted(): void {
    this.lastReason = undefined;
  }

  private write(text: string): void {
    if (this.count > MAX_LOGGED) return;
    const end = this.count === MAX_LOGGED ? `${OWN_LINE_PREFIX}further refusals are not written here\n` : "";
    const line = text.replace(/\n\s*/g, "; ");
    appendFileSync(this.log, `${OWN_LINE_PREFIX}${new Date().toISOString()} ${line}\n${end}`);
  }
}

function isPowerOfTen(count: number): boolean {
  return /^10+$/.test(`${count}`);
}
