import { gatherAllFacts, type NodeFacts } from "../fleet/allfacts.js";
import { findInventory, selectNodes } from "../fleet/inventory.js";
import { checkGpus } from "../playbooks/gpu.js";
import { buildNodesDocument, createNodesTable, formatNodeLine, formatUnusableNodes } from "../report/nodestable.js";
import { formatTable } from "../report/resulttable.js";
import type { Writers } from "../report/writers.js";
import { formatJson } from "../schemas/escape.js";
import type { CommonOptions } from "./options.js";
import { isLive, TablePrinter } from "./tableprinter.js";
import { withProgress } from "./withprogress.js";

/**
 * `muster nodes [NODE...]`: shows the hardware and system of these nodes, of all if none is named. Nothing is changed or left on a node.
 * Returns the exit status.
 */
export async function nodes(patterns: string[], options: CommonOptions, writers: Writers): Promise<number> {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const selected = selectNodes(inventory, patterns.length > 0 ? patterns.join(",") : options.limit);
  const names = selected.map(({ name }) => name);
  const table = createNodesTable(names, options.verbose ? "all" : "usual", Date.now() / 1000);
  const printer = isLive(options) ? new TablePrinter(table, names, writers) : undefined;
  const looks = await withProgress(selected, options, writers, (done) =>
    gatherAllFacts(selected, checkGpus, (look) => {
      printer?.add(look);
      done(look.node, printer === undefined ? formatNodeLine(look) : undefined);
    }),
  );
  if (options.json) writers.out(formatJson(buildNodesDocument(looks), 2));
  else if (options.quiet) printUnusable(formatUnusableNodes(looks), writers);
  else if (printer !== undefined) printer.end(looks);
  else writers.out(formatTable(table, looks));
  return exitStatusOfNodes(looks);
}

function printUnusable(text: string, writers: Writers): void {
  if (text !== "") writers.err(text);
}

function exitStatusOfNodes(looks: NodeFacts[]): number {
  const unusable = looks.filter((look) => "error" in look).length;
  if (unusable === 0) return 0;
  return unusable === looks.length ? 69 : 3;
}
