import { findInventory, selectNodes } from "../fleet/inventory.js";
import { type Look, lookAt } from "../fleet/look.js";
import { lookLine, nodesDocument, nodesText, troubleText } from "../report/nodes.js";
import type { Writers } from "../report/writers.js";
import { jsonText } from "../schemas/printable.js";
import type { CommonOptions } from "./common.js";
import { withProgress } from "./progress.js";

/** `muster nodes`: looks at every node and says what is there; nothing is changed or left on a node. Answers the exit code. */
export async function nodes(options: CommonOptions, writers: Writers): Promise<number> {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const selected = selectNodes(inventory, options.limit);
  const looks = await withProgress(selected, options, writers, (done) =>
    lookAt(selected, (look) => done(look.node, lookLine(look))),
  );
  if (options.json) writers.out(jsonText(nodesDocument(looks), 2));
  else if (options.quiet) say(troubleText(looks), writers);
  else writers.out(nodesText(looks, options.verbose ? "all" : "usual", Date.now() / 1000));
  return exitCode(looks);
}

function say(text: string, writers: Writers): void {
  if (text !== "") writers.err(text);
}

function exitCode(looks: Look[]): number {
  const lost = looks.filter((look) => "error" in look).length;
  if (lost === 0) return 0;
  return lost === looks.length ? 69 : 3;
}
