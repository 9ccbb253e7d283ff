import { type CacheAction, inspectCache } from "../executor/run/node/cachereport.js";
import { forEachNode } from "../fleet/eachnode.js";
import { findInventory, selectNodes } from "../fleet/inventory.js";
import { formatAddress, type Node } from "../fleet/node.js";
import { buildCacheDocument, formatCacheLine, formatCacheProblems, formatCacheTable } from "../report/cachetext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { suggest } from "../schemas/suggest.js";
import { agentProgram } from "../templates/nodeprograms.js";
import { announceDrains } from "./announcedrains.js";
import type { CommonOptions } from "./options.js";
import { withProgress } from "./withprogress.js";

interface CacheOptions extends CommonOptions {
  all?: boolean;
}

/** `muster cache`: shows or prunes the caches of nodes. Returns the exit status. */
export async function cache(word: string | undefined, options: CacheOptions, writers: Writers): Promise<number> {
  const action = parseAction(word, options);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const nodes = selectByWorkdir(selectNodes(inventory, options.limit));
  announceDrains(nodes, options, writers);
  const agent = agentProgram();
  const outcomes = await withProgress(nodes, options, writers, (done) =>
    forEachNode(
      nodes,
      (connection) => inspectCache(connection, agent, action),
      (outcome) => done(outcome.node, formatCacheLine(outcome)),
    ),
  );
  if (options.json) writers.out(formatJson(buildCacheDocument(outcomes), 2));
  else if (!options.quiet) writers.out(formatCacheTable(outcomes, options.verbose ? "all" : "usual"));
  else if (formatCacheProblems(outcomes) !== "") writers.err(formatCacheProblems(outcomes));
  const unusable = outcomes.filter((outcome) => "error" in outcome).length;
  if (unusable > 0) return unusable === outcomes.length ? 69 : 3;
  return outcomes.some((outcome) => "value" in outcome && outcome.value.problem !== undefined) ? 3 : 0;
}

function parseAction(word = "show", { all }: CacheOptions): CacheAction {
  if (word !== "show" && word !== "prune")
    throw new UsageError(
      `muster cache ${word}: there is no such action`,
      suggest(word, ["show", "prune"]) ?? "show or prune",
    );
  if (word === "show" && all) throw new UsageError("--all belongs to `muster cache prune`");
  if (word === "show") return "show";
  return all ? "prune-all" : "prune";
}

/** Two nodes with one workdir have one cache: the first of them stands for both. */
function selectByWorkdir(nodes: Node[]): Node[] {
  const byAddress = new Map<string, Node>();
  for (const node of nodes) if (!byAddress.has(formatAddress(node))) byAddress.set(formatAddress(node), node);
  return [...byAddress.values()];
}
