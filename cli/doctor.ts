import { checkFileService } from "../fleet/checkfileservice.js";
import { findInventory, selectFleet } from "../fleet/inventory.js";
import { isInstalled, listRequiredPrograms } from "../fleet/local/requiredprograms.js";
import { checkCluster } from "../fleet/slurm/checkcluster.js";
import type { Cluster } from "../fleet/slurm/cluster.js";
import { forEachCluster } from "../fleet/slurm/eachcluster.js";
import { tryPilot } from "../fleet/slurm/trialpilot.js";
import { loadPlaybooks } from "../playbooks/engine/loadplaybooks.js";
import { verifyNode } from "../playbooks/engine/provisionnode.js";
import { buildClusterChecks, type ClusterReport, formatClusterChecks, isInOrder } from "../report/clusterchecks.js";
import type { Writers } from "../report/writers.js";
import { describeInventory } from "./describeinventory.js";
import { handleInterrupt } from "./interrupt.js";
import type { CommonOptions } from "./options.js";
import { exitStatusOfReports, reportOnNodes } from "./playbooks.js";
import { withProgress } from "./withprogress.js";

/** Playbooks that only inspect: what every job needs of a node, whatever the inventory lists. */
const DIAGNOSTIC_PLAYBOOKS = ["host", "python", "session", "gpu"];

/** Options of `muster doctor`. */
export interface DoctorOptions extends CommonOptions {
  /** Submit a pilot to each cluster. */
  submit?: boolean;
}

/**
 * `muster doctor [NODE...]`: reports what keeps this machine, a node or a cluster from running jobs, and how to repair it. It changes
 * nothing; with `--submit`, one pilot runs on each cluster for a moment. Returns 0 where everything is in order, 2 where something needs repair,
 * and 3 or 69 where nodes cannot be inspected.
 */
export async function doctor(names: string[], options: DoctorOptions, writers: Writers): Promise<number> {
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  const { nodes, clusters } = selectFleet(inventory, names.length > 0 ? names.join(",") : options.limit);
  const missing = listRequiredPrograms(nodes).filter(({ program }) => !isInstalled(program, process.env.PATH ?? ""));
  const playbooks = await loadPlaybooks(DIAGNOSTIC_PLAYBOOKS, inventory);
  if (!options.quiet && !options.json) {
    writers.err(describeInventory(inventory, options.inventory !== undefined));
    writers.err(
      `here: node ${process.versions.node}${missing.length === 0 ? ", all required programs are installed" : ""}`,
    );
  }
  const inspect = async (connection: Parameters<typeof verifyNode>[0]) => {
    await checkFileService(connection);
    return verifyNode(connection, undefined, playbooks, inventory);
  };
  if (!options.json)
    for (const { program, what, pack } of missing)
      writers.err(`here: ${program} is not installed (${what})\n    next: apt-get install ${pack}`);
  const here = { node: process.versions.node, missing: missing.map(({ program }) => program) };
  const checked = await checkClusters(clusters, options, writers);
  const extras = { here, ...(clusters.length === 0 ? {} : { clusters: buildClusterChecks(checked) }) };
  const isShown = nodes.length > 0 || options.json === true;
  const reports = isShown ? await reportOnNodes(nodes, inspect, options, writers, extras) : [];
  const isQuiet = options.json === true || (options.quiet === true && checked.every(isInOrder));
  if (checked.length > 0 && !isQuiet) writers.out(formatClusterChecks(checked, options.verbose ? "all" : "trouble"));
  const exits = [...(isShown ? [exitStatusOfReports(reports, 2)] : []), ...checked.map(exitStatusOfCluster)];
  return Math.max(combineExits(exits), missing.length > 0 ? 2 : 0);
}

async function checkClusters(
  clusters: readonly Cluster[],
  { submit, ...options }: DoctorOptions,
  writers: Writers,
): Promise<ClusterReport[]> {
  if (clusters.length === 0) return [];
  const interrupt = handleInterrupt();
  const logins = clusters.map(({ login }) => login);
  const print = (text: string) => {
    if (!options.quiet && !options.json) writers.err(text);
  };
  try {
    return await withProgress(logins, options, writers, (done) =>
      forEachCluster(
        clusters,
        async (engine) => {
          const { facts, checks } = await checkCluster(engine);
          const { cluster } = engine;
          if (!submit || checks.some(({ isOk }) => !isOk)) return { facts, checks };
          const onState = (state: string) => print(`${cluster.name}: ${state}`);
          return { facts, checks: [...checks, await tryPilot(cluster, { signal: interrupt.signal, onState })] };
        },
        ({ cluster }) => done(cluster.login),
      ),
    );
  } finally {
    interrupt.release();
  }
}

function exitStatusOfCluster(report: ClusterReport): number {
  if ("error" in report) return 69;
  return isInOrder(report) ? 0 : 2;
}

/** Some that cannot be checked are 3, all 69. */
function combineExits(exits: readonly number[]): number {
  if (exits.length === 1 || exits.every((exit) => exit === exits[0])) return exits[0] ?? 0;
  return Math.max(...exits.map((exit) => (exit === 69 || exit === 75 ? 3 : exit)));
}
