import type { Member } from "../executor/run/node/member.js";
import type { Observer, View } from "../executor/run/observer.js";
import type { Differing } from "../executor/run/record/past.js";
import type { LeftOut } from "../executor/run/record/summary.js";
import type { Failure } from "../executor/schedule/events.js";
import { pluralize, toPrintableText } from "./format.js";
import { formatMemoryWait, formatTotalProgress } from "./progresstext.js";
import { formatFailure, formatMismatch } from "./summarytext.js";
import type { Writers } from "./writers.js";

const LINE_INTERVAL_MS = 10_000;

/** An observer that prints nothing. */
export const silentProgress: Observer & { end(): void } = {
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

/** Prints a line for each event of a run, and its progress at intervals: for pipes, files and cron. */
export class PlainProgress implements Observer {
  protected readonly intervalMs: number = LINE_INTERVAL_MS;
  protected timer: NodeJS.Timeout | undefined;
  private view: View | undefined;

  constructor(protected readonly writers: Writers) {}

  begin(view: View, path: string, leftOut: LeftOut[]): void {
    this.view = view;
    this.print(`run directory: ${path}`);
    for (const { node, reason } of leftOut) this.print(`${node}: not used: ${reason}`);
    this.timer = setInterval(() => this.show(view), this.intervalMs);
  }

  node(member: Member): void {
    const { name } = member.node;
    if (member.state === "live") this.print(`${name}: ${pluralize(member.slots.length, "slot")}`);
    else
      this.print(`${name}: ${member.state}: ${member.reason}${member.error?.next ? `\n    ${member.error.next}` : ""}`);
  }

  slot(member: Member, slot: number, holder: string | undefined): void {
    const what = holder === undefined ? "is free again" : `waits for ${holder}`;
    this.print(`${member.node.name}: slot ${slot} ${what}`);
  }

  memory(member: Member): void {
    this.print(`${member.node.name}: ${formatMemoryWait(member.short)}`);
  }

  problem(member: Member, message: string): void {
    this.print(`${member.node.name}: ${message}`);
  }

  note(message: string): void {
    this.print(message);
  }

  failedAttempt(failure: Failure): void {
    const { chunk, node, slot, attempt, reason } = failure;
    this.print(`chunk ${chunk}: attempt ${attempt} failed on ${node} slot ${slot}: ${reason}`);
  }

  differs(differing: Differing): void {
    this.print(formatMismatch(differing));
  }

  gaveUp(failure: Failure): void {
    this.print(...formatFailure(failure));
  }

  progress(): void {}

  end(): void {
    clearInterval(this.timer);
    if (this.view !== undefined) this.print(formatTotalProgress(this.view));
  }

  protected show(view: View): void {
    this.print(formatTotalProgress(view));
  }

  protected print(...lines: string[]): void {
    this.writers.err(toPrintableText(lines));
  }
}
