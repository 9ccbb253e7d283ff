import { type Cluster, createPilotNode } from "../../../fleet/slurm/cluster.js";
import { MusterError } from "../../../schemas/errors.js";
import { cleanNode, type NodeCleanResult } from "../node/cleannode.js";
import type { AttemptKeeper } from "../node/heldresults.js";
import type { Journal } from "../record/journal.js";
import type { OpenPilot } from "../record/openpilots.js";
import type { RunContext } from "../runcontext.js";
import { endOpenPilots } from "./endopenpilots.js";
import { parseJobName } from "./pilot.js";

/** A node of the result, and the inventory that has its cluster. */
export type CancelledPilot = NodeCleanResult & { inventory: string };

/**
 * Ends all pilots of a run: those that run are attached to first, so that `keeper` keeps what they hold. `findCluster`: undefined where no
 * inventory has it. Errors of clusters are in the result.
 */
export async function cancelPilots(
  open: readonly OpenPilot[],
  run: RunContext,
  journal: Journal,
  findCluster: (inventory: string, name: string) => Cluster | undefined,
  keeper: AttemptKeeper,
): Promise<CancelledPilot[]> {
  const runIds = [...run.formerIds, run.id];
  try {
    const clusters = new Map(
      open.map(({ inventory, cluster }) => [JSON.stringify([inventory, cluster]), { inventory, cluster }]),
    );
    const cleaned = await Promise.all(
      [...clusters.values()].map(async ({ inventory, cluster: name }) => {
        const cluster = findCluster(inventory, name);
        return cluster === undefined ? [] : cleanRunningPilots(cluster, inventory, run, runIds, keeper);
      }),
    );
    const find = (inventory: string, name: string) => {
      const cluster = findCluster(inventory, name);
      return cluster && run.dialer.engineOf(cluster);
    };
    const ends = await endOpenPilots(open, runIds, journal, find);
    const left = ends.flatMap(({ leftovers }) => leftovers);
    const failed = left.map(
      ({ node, inventory, reason = "" }): CancelledPilot => ({ node, inventory, state: "failed", reason }),
    );
    const ended = cleaned.flat().filter(({ node }) => left.every((one) => one.node !== node));
    return [...ended, ...failed];
  } finally {
    await run.dialer.closeEngines();
  }
}

/** Attaches to the pilots that run. One that cannot be attached to is cancelled all the same: only what it holds is lost. */
async function cleanRunningPilots(
  cluster: Cluster,
  inventory: string,
  run: RunContext,
  runIds: readonly string[],
  keeper: AttemptKeeper,
): Promise<CancelledPilot[]> {
  try {
    const states = await run.dialer.engineOf(cluster).list();
    const own = [...states].filter(([, { jobName }]) => parseJobName(jobName, runIds) !== undefined);
    const nodes = own.map(([id]) => createPilotNode(cluster, id));
    return await Promise.all(
      nodes.map(async (node, index): Promise<CancelledPilot> => {
        if (own[index]![1].state === "running") await cleanNode(node, run, keeper);
        return { node: node.name, inventory, state: "stopped" };
      }),
    );
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return []; // endOpenPilots meets the same error, and reports it
  }
}
