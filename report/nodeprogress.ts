import { pluralize, toPrintableText } from "./format.js";

/** A command that takes longer than this shows what it knows so far. */
const SHOW_AFTER_MS = 1000;
/** Pause between two lines that say which nodes are still waited for. */
const WAITING_INTERVAL_MS = 5000;
/** Nodes that such a line names. */
const MAX_NAMED_NODES = 5;

/** Shows a line for each node as it is done, once a command takes longer than a second: before that, its result is as quick. */
export class NodeProgress {
  private readonly waiting: Set<string>;
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

  /** `line` says what came of the node `name`. */
  done(name: string, line: string): void {
    this.waiting.delete(name);
    if (this.heldLines === undefined) this.print(line);
    else this.heldLines.push(line);
  }

  /** What has not been shown by now is not shown: the result follows. */
  end(): void {
    clearTimeout(this.showTimer);
    clearInterval(this.waitingTimer);
  }

  private showHeldLines(): void {
    for (const line of this.heldLines ?? []) this.print(line);
    this.heldLines = undefined;
  }

  private printWaiting(): void {
    const names = [...this.waiting].slice(0, MAX_NAMED_NODES).join(", ");
    const more = this.waiting.size > MAX_NAMED_NODES ? ` and ${this.waiting.size - MAX_NAMED_NODES} more` : "";
    this.print(toPrintableText([`waiting for ${pluralize(this.waiting.size, "node")}: ${names}${more}`]));
  }
}
