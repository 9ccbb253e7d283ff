import type { MusterResult } from "../cli/startmuster.js";
import type { RunningMuster } from "../faults/knownjob.js";
import type { RunCopy } from "./runcopy.js";

/**
 * How a muster ended: its exit code (that of a shell, where a signal ended it), `killed` by SIGKILL, or, of exit code 3, which state
 * of the run that stands for.
 */
export type ProcessExit = number | "killed" | "partial" | "stranded" | "broken";

const EXIT_BY_SIGNAL: Record<string, ProcessExit> = { SIGKILL: "killed", SIGINT: 130, SIGTERM: 143 };

/** A bug, told as such or by its trace: of Node.js or of Python. */
const STACK_TRACE = /bug in muster|Traceback \(most recent call last\)|^\s+at .*\(?[^\s()]+:\d+:\d+\)?$/m;

/** One process of `muster run`, from its start to its end. */
export class MusterProcess {
  /** Ways of ending that what was done to it explains. */
  readonly allowed: Set<ProcessExit>;
  exit: ProcessExit | undefined;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  ran: MusterResult | undefined;

  constructor(
    readonly place: RunCopy,
    /** What it was started for, for people. */
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

  /** Its stderr, so far. */
  get said(): string {
    return this.launched.stderr();
  }

  /** Whether it has its run directory: from then on it counts as running. */
  get isAtWork(): boolean {
    return !this.isOver && this.said.includes("run directory: ");
  }

  /** Whether a node is attached, as it has said last. */
  isAttached(node: string): boolean {
    const lines = this.said.split("\n").filter((line) => line.replace(/^\[\w+\] /, "").startsWith(`${node}: `));
    return /: \d+ slots?$/.test(lines.at(-1) ?? "");
  }

  /** Sends a signal. Fine where it has ended. */
  signal(name: NodeJS.Signals): void {
    this.launched.child.kill(name);
  }

  /** Also these ways of ending are explained now. */
  allow(...exits: ProcessExit[]): void {
    for (const exit of exits) this.allowed.add(exit);
  }

  /** What is wrong with how it ended and with what it said. */
  problems(): string[] {
    const { exit, ran, allowed, label } = this;
    const explained = [...allowed].join(", ");
    return [
      ...(allowed.has(exit!) ? [] : [`${label}: ended with ${exit}; what was done explains ${explained}`]),
      ...findStackTraces(label, ran!),
    ];
  }
}

/** Which state the exit code 3 stands for: of a job, or of a step of a pipeline. */
function stateOfExit3(out: string): ProcessExit {
  if (out.includes("no usable node is left")) return "stranded";
  return /^job: partly done|^ {2}\w+: +partial\b/m.test(out) ? "partial" : "broken";
}

/** Says whether a muster reported a bug or printed a stack trace. */
export function findStackTraces(label: string, { out, err }: MusterResult): string[] {
  const found = STACK_TRACE.exec(`${out}\n${err}`);
  return found === null ? [] : [`${label}: a stack trace, or a bug reported: ${found[0].trim()}`];
}
