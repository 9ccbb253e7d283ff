import { gatherAllFacts, type NodeFacts } from "../fleet/allfacts.js";
import { findInventory, selectFleet } from "../fleet/inventory.js";
import type { Cluster } from "../fleet/slurm/cluster.js";
import { forEachCluster } from "../fleet/slurm/eachcluster.js";
import { checkGpus } from "../playbooks/gpu.js";
import {
  buildClusterRecords,
  type ClusterLook,
  formatClusterLine,
  formatClustersTable,
  formatUnusableClusters,
  isUsable,
} from "../report/clusterstable.js";
import { buildNodesDocument, createNodesTable, formatNodeLine, formatUnusableNodes } from "../report/nodestable.js";
import { formatTable } from "../report/resulttable.js";
import type { Writers } from "../report/writers.js";
import { formatJson } from "../schemas/escape.js";
import type { CommonOptions } from "./options.js";
import { isLive, TablePrinter } from "./tableprinter.js";
import { withProgress } from "./withprogress.js";

/**
 * `muster nodes [NODE...]`: shows the hardware and system of these nodes, of all if none is named, and what Slurm says of clusters. Nothing
 * is changed or left on a node. Returns the exit status.
 */
export async function nodes(patterns: string[], options: CommonOptions, writers: Writers): Promise<number> {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const selected = selectFleet(inventory, patterns.length > 0 ? patterns.join(",") : options.limit);
  const names = selected.nodes.map(({ name }) => name);
  const table = createNodesTable(names, options.verbose ? "all" : "usual", Date.now() / 1000);
  const printer = isLive(options) && names.length > 0 ? new TablePrinter(table, names, writers) : undefined;
  const asked = [...selected.nodes, ...selected.clusters.map(({ login }) => login)];
  const [looks, clusters] = await withProgress(asked, options, writers, (done) =>
    Promise.all([
      gatherAllFacts(selected.nodes, checkGpus, (look) => {
        printer?.add(look);
        done(look.node, printer === undefined ? formatNodeLine(look) : undefined);
      }),
      inspectClusters(selected.clusters, (look) => done(look.cluster.login, formatClusterLine(look))),
    ]),
  );
  if (options.json) writers.out(formatJson(buildDocument(looks, clusters), 2));
  else if (options.quiet) printUnusable([formatUnusableNodes(looks), formatUnusableClusters(clusters)], writers);
  else {
    if (printer !== undefined) printer.end(looks);
    else if (looks.length > 0) writers.out(formatTable(table, looks));
    if (clusters.length > 0) writers.out(`${looks.length > 0 ? "\n" : ""}${formatClustersTable(clusters)}`);
  }
  return exitStatusOf([...looks.map((look) => !("error" in look)), ...clusters.map(isUsable)]);
}

function inspectClusters(clusters: readonly Cluster[], onLook: (look: ClusterLook) => void): Promise<ClusterLook[]> {
  return forEachCluster(clusters, (engine) => engine.inspect(), onLook);
}

/** Without clusters, the document has no key of theirs. */
function buildDocument(looks: NodeFacts[], clusters: readonly ClusterLook[]) {
  const document = buildNodesDocument(looks);
  return clusters.length === 0 ? document : { ...document, clusters: buildClusterRecords(clusters) };
}

function printUnusable(texts: readonly string[], writers: Writers): void {
  for (const text of texts) if (text !== "") writers.err(text);
}

function exitStatusOf(usable: readonly boolean[]): number {
  const unusable = usable.filter((one) => !one).length;
  if (unusable === 0) return 0;
  return unusable === usable.length ? 69 : 3;
}
