import { toPrintableText } from "./format.js";

/** A table with one or more rows for each node, as lines, so that it can be printed in pieces. */
export interface ResultTable<Result> {
  readonly head: string;
  /** Returns the rows of these nodes; none = there is nothing to show. */
  listRows(results: readonly Result[]): string[];
  /** Returns what follows the rows of all nodes. */
  listTotal(results: readonly Result[]): string[];
}

/** Returns the table with the rows of all nodes; without rows, only the total. */
export function formatTable<Result>(table: ResultTable<Result>, results: readonly Result[]): string {
  const [rows, total] = [table.listRows(results), table.listTotal(results)];
  return toPrintableText(rows.length === 0 ? total : [table.head, ...rows, "", ...total]);
}
