import type { Member } from "../executor/run/node/member.js";
import type { Observer, View } from "../executor/run/observer.js";
import type { Differing } from "../executor/run/record/past.js";
import type { LeftOut } from "../executor/run/record/summary.js";
import type { Failure } from "../executor/schedule/events.js";
import { plural, textOf } from "./format.js";
import { memoryText, totalLine } from "./progress.js";
import { differingText, failureLines } from "./summary.js";
import type { Writers } from "./writers.js";

/** Milliseconds between two lines. */
const LINE_EVERY = 10_000;

/** Says nothing while a run goes on. */
export const silent: Observer & { end(): void } = {
  begin() {},
  node() {},
  slot() {},
  memory() {},
  problem() {},
  note() {},
  failedAttempt() {},
  differs() {},
  gaveUp() {},
  progress() {},
  end() {},
};

/** Tells of a run in plain lines, as they happen: for pipes, files and cron. */
export class PlainProgress implements Observer {
  /** Milliseconds between two showings. */
  protected readonly interval: number = LINE_EVERY;
  protected timer: NodeJS.Timeout | undefined;
  private view: View | undefined;

  constructor(protected readonly writers: Writers) {}

  begin(view: View, path: string, leftOut: LeftOut[]): void {
    this.view = view;
    this.say(`run directory: ${path}`);
    for (const { node, reason } of leftOut) this.say(`${node}: left out: ${reason}`);
    this.timer = setInterval(() => this.show(view), this.interval);
  }

  node(member: Member): void {
    const { name } = member.node;
    if (member.state === "live") this.say(`${name}: ${plural(member.slots.length, "slot")}`);
    else
      this.say(`${name}: ${member.state}: ${member.reason}${member.error?.next ? `\n    ${member.error.next}` : ""}`);
  }

  slot(member: Member, slot: number, holder: string | undefined): void {
    const what = holder === undefined ? "is free again" : `waits for ${holder}`;
    this.say(`${member.node.name}: slot ${slot} ${what}`);
  }

  memory(member: Member): void {
    this.say(`${member.node.name}: ${memoryText(member.short)}`);
  }

  problem(member: Member, message: string): void {
    this.say(`${member.node.name}: ${message}`);
  }

  note(message: string): void {
    this.say(message);
  }

  failedAttempt(failure: Failure): void {
    const { chunk, node, slot, attempt, reason } = failure;
    this.say(`chunk ${chunk}: try ${attempt} failed on ${node} slot ${slot}: ${reason}`);
  }

  differs(differing: Differing): void {
    this.say(differingText(differing));
  }

  gaveUp(failure: Failure): void {
    this.say(...failureLines(failure));
  }

  progress(): void {}

  end(): void {
    clearInterval(this.timer);
    if (this.view !== undefined) this.say(totalLine(this.view));
  }

  protected show(view: View): void {
    this.say(totalLine(view));
  }

  protected say(...lines: string[]): void {
    this.writers.err(textOf(lines));
  }
}
