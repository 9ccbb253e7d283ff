import { toPrintableText } from "../report/format.js";
import type { ResultTable } from "../report/resulttable.js";
import type { Writers } from "../report/writers.js";
import type { CommonOptions } from "./options.js";

/** Results that are there by then are printed together, in the order of the nodes. */
const HOLD_MS = 1000;

/** Whether results are printed as they come: on a terminal. Elsewhere they stay in the order of the inventory. */
export function isLive({ json, quiet }: Pick<CommonOptions, "json" | "quiet">): boolean {
  return process.stdout.isTTY === true && !json && !quiet;
}

/**
 * Prints the rows of nodes on a terminal as soon as they are known, so that nobody has to wait for a node that does not answer. What is
 * known within a second is printed together. Call `end` to print the rest and the total.
 */
export class TablePrinter<Result extends { readonly node: { readonly name: string } }> {
  private held: Result[] | undefined = [];
  private hasHead = false;
  private readonly timer: NodeJS.Timeout;

  /** `names`: the nodes, in the order in which results of the first second are printed. */
  constructor(
    private readonly table: ResultTable<Result>,
    private readonly names: readonly string[],
    private readonly writers: Writers,
  ) {
    this.timer = setTimeout(() => this.printHeld(), HOLD_MS);
    this.timer.unref();
  }

  /** Adds the result of a node. */
  add(result: Result): void {
    if (this.held === undefined) this.printRows([result]);
    else this.held.push(result);
  }

  /** Prints what has not been printed yet, and the total of all results. */
  end(results: readonly Result[]): void {
    clearTimeout(this.timer);
    this.printHeld();
    if (this.hasHead) this.writers.out("");
    this.writers.out(toPrintableText(this.table.listTotal(results)));
  }

  private printHeld(): void {
    const held = this.held ?? [];
    this.held = undefined;
    const indexOf = ({ node }: Result) => this.names.indexOf(node.name);
    if (held.length > 0) this.printRows(held.sort((a, b) => indexOf(a) - indexOf(b)));
  }

  private printRows(results: readonly Result[]): void {
    const rows = this.table.listRows(results);
    if (rows.length === 0) return;
    this.writers.out(toPrintableText(this.hasHead ? rows : [this.table.head, ...rows]));
    this.hasHead = true;
  }
}
