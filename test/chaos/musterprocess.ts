import type { MusterResult } from "../cli/startmuster.js";
import type { RunningMuster } from "../faults/knownjob.js";
import type { RunCopy } from "./runcopy.js";

/**
 * How a muster process ended: its exit code (128 plus the number of the signal that ended it), `killed` by SIGKILL, or the state of the
 * run that exit code 3 stands for.
 */
export type ProcessExit = number | "killed" | "partial" | "stranded" | "broken";

const EXIT_BY_SIGNAL: Record<string, ProcessExit> = { SIGKILL: "killed", SIGINT: 130, SIGTERM: 143 };

/** Matches the report of a bug, and a stack trace of Node.js or Python. */
const STACK_TRACE = /bug in muster|Traceback \(most recent call last\)|^\s+at .*\(?[^\s()]+:\d+:\d+\)?$/m;

/** One process of `muster run`, from its start to its end. */
export class MusterProcess {
  /** The exits that the injected faults explain. */
  readonly allowed: Set<ProcessExit>;
  exit: ProcessExit | undefined;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  ran: MusterResult | undefined;

  constructor(
    readonly place: RunCopy,
    /** Why it was started, for messages. */
    readonly label: string,
    private readonly launched: RunningMuster,
    allowed: Iterable<ProcessExit>,
  ) {
    this.allowed = new Set(allowed);
    this.ended = launched.ended.then((ran) => {
      const { exitCode, signalCode } = launched.child;
      this.ran = ran;
      this.exit = exitCode === 3 ? stateOfExit3(ran.out) : (exitCode ?? EXIT_BY_SIGNAL[signalCode ?? ""] ?? 255);
    });
  }

  get isOver(): boolean {
    return this.exit !== undefined;
  }

  /** Its standard error so far. */
  get stderr(): string {
    return this.launched.stderr();
  }

  /** Whether it has opened its run directory and has not ended. */
  get isAtWork(): boolean {
    return !this.isOver && this.stderr.includes("run directory: ");
  }

  /** Whether a node is attached, according to the last message about it. */
  isAttached(node: string): boolean {
    const lines = this.stderr.split("\n").filter((line) => line.replace(/^\[\w+\] /, "").startsWith(`${node}: `));
    return /: \d+ slots?$/.test(lines.at(-1) ?? "");
  }

  /** Sends a signal; does nothing if the process has ended. */
  signal(name: NodeJS.Signals): void {
    this.launched.child.kill(name);
  }

  /** Adds exits that are explained from now on. */
  allow(...exits: ProcessExit[]): void {
    for (const exit of exits) this.allowed.add(exit);
  }

  /** Returns what is wrong with its exit and its output. */
  problems(): string[] {
    const { exit, ran, allowed, label } = this;
    const explained = [...allowed].join(", ");
    return [
      ...(allowed.has(exit!) ? [] : [`${label}: ended with ${exit}; the injected faults explain ${explained}`]),
      ...findStackTraces(label, ran!),
    ];
  }
}

/** Returns the state of the job, or of a step of the pipeline, that exit code 3 stands for. */
function stateOfExit3(out: string): ProcessExit {
  if (out.includes("no usable node is left")) return "stranded";
  return /^job: (partly done|failed: )|^ {2}\w+: +(partial|failed, [^:]*: (all )?\d+ chunks? failed)\b/m.test(out)
    ? "partial"
    : "broken";
}

/** Returns a problem if the process reported a bug or printed a stack trace. */
export function findStackTraces(label: string, { out, err }: MusterResult): string[] {
  const found = STACK_TRACE.exec(`${out}\n${err}`);
  return found === null ? [] : [`${label}: a stack trace, or a bug reported: ${found[0].trim()}`];
}
