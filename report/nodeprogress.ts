import { toPrintableText } from "./format.js";
import { formatNodeNames } from "./leftovertext.js";

/** A command that takes longer than this shows its progress. */
const SHOW_AFTER_MS = 1000;
/** The interval of the lines that list outstanding nodes. */
const WAITING_INTERVAL_MS = 5000;

/** Prints a line for each node that is done, but nothing in the first second: a quick command prints its result instead. */
export class NodeProgress {
  private readonly waiting: Set<string>;
  private waitedMs = 0;
  private heldLines: string[] | undefined = [];
  private readonly showTimer: NodeJS.Timeout;
  private readonly waitingTimer: NodeJS.Timeout;

  constructor(
    names: string[],
    private readonly print: (text: string) => void,
  ) {
    this.waiting = new Set(names);
    this.showTimer = setTimeout(() => this.showHeldLines(), SHOW_AFTER_MS);
    this.waitingTimer = setInterval(() => this.printWaiting(), WAITING_INTERVAL_MS);
  }

  /** Reports that a node is done, with the line about it; undefined = its result is printed already. */
  done(name: string, line: string | undefined): void {
    this.waiting.delete(name);
    if (line === undefined) return;
    if (this.heldLines === undefined) this.print(line);
    else this.heldLines.push(line);
  }

  /** Stops the timers and drops lines that have not been printed, because the result follows. */
  end(): void {
    clearTimeout(this.showTimer);
    clearInterval(this.waitingTimer);
  }

  private showHeldLines(): void {
    for (const line of this.heldLines ?? []) this.print(line);
    this.heldLines = undefined;
  }

  private printWaiting(): void {
    this.waitedMs += WAITING_INTERVAL_MS;
    if (this.waiting.size === 0) return;
    this.print(toPrintableText([`waiting for ${formatNodeNames([...this.waiting])} (${this.waitedMs / 1000} s)`]));
  }
}
