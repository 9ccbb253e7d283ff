import { plural, textOf } from "./format.js";

/** A command that takes longer than this shows what it knows so far. */
const SHOW_AFTER_MS = 1000;
/** Pause between two lines that say which nodes are still waited for. */
const WAITING_EVERY_MS = 5000;
/** Nodes that such a line names. */
const NAMED = 5;

/** Shows a line for each node as it is done, once a command takes longer than a second: before that, its result is as quick. */
export class NodeProgress {
  private readonly waiting: Set<string>;
  private held: string[] | undefined = [];
  private readonly first: NodeJS.Timeout;
  private readonly again: NodeJS.Timeout;

  constructor(
    names: string[],
    private readonly say: (text: string) => void,
  ) {
    this.waiting = new Set(names);
    this.first = setTimeout(() => this.show(), SHOW_AFTER_MS);
    this.again = setInterval(() => this.sayWaiting(), WAITING_EVERY_MS);
  }

  /** `line` says what came of the node `name`. */
  done(name: string, line: string): void {
    this.waiting.delete(name);
    if (this.held === undefined) this.say(line);
    else this.held.push(line);
  }

  /** What has not been shown by now is not shown: the result follows. */
  end(): void {
    clearTimeout(this.first);
    clearInterval(this.again);
  }

  private show(): void {
    for (const line of this.held ?? []) this.say(line);
    this.held = undefined;
  }

  private sayWaiting(): void {
    const names = [...this.waiting].slice(0, NAMED).join(", ");
    const more = this.waiting.size > NAMED ? ` and ${this.waiting.size - NAMED} more` : "";
    this.say(textOf([`waiting for ${plural(this.waiting.size, "node")}: ${names}${more}`]));
  }
}
