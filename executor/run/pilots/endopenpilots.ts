import type { Engine } from "../../../fleet/engine.js";
import type { Journal } from "../record/journal.js";
import type { Leftover } from "../record/leftovers.js";
import type { OpenPilot } from "../record/openpilots.js";
import { endPilots } from "./endpilots.js";
import { createLeftPilot } from "./leftpilot.js";
import { PilotRecords } from "./pilotrecords.js";

/** The result of ending the pilots of a run on one cluster. */
export interface ClusterEnd {
  cluster: string;
  /** The ids that were cancelled now. */
  ids: string[];
  /** Those that may still exist, with the reason. */
  leftovers: Leftover[];
}

/**
 * Ends the pilots of a run that may exist, and records that they are over. `findEngine`: undefined where no inventory has the cluster.
 * Errors of clusters are the reasons of what is left.
 */
export async function endOpenPilots(
  open: Iterable<OpenPilot>,
  runIds: readonly string[],
  journal: Journal,
  findEngine: (inventory: string, cluster: string) => Engine | undefined,
): Promise<ClusterEnd[]> {
  const groups = new Map<string, OpenPilot[]>();
  for (const pilot of open) {
    const key = JSON.stringify([pilot.inventory, pilot.cluster]);
    groups.set(key, [...(groups.get(key) ?? []), pilot]);
  }
  return Promise.all(
    [...groups.values()].map(async (pilots): Promise<ClusterEnd> => {
      const { inventory, cluster } = pilots[0]!;
      const engine = findEngine(inventory, cluster);
      const { ids, problem } = engine === undefined ? UNKNOWN_CLUSTER : await endPilots(engine, runIds);
      if (problem !== undefined) return { cluster, ids, leftovers: listLeftovers(pilots, problem) };
      const records = new PilotRecords(journal, inventory);
      for (const pilot of pilots) records.recordEnd(cluster, pilot, "cancelled");
      await journal.flush();
      return { cluster, ids, leftovers: [] };
    }),
  );
}

const UNKNOWN_CLUSTER = {
  ids: [],
  problem: "its cluster is not in the inventory any more; name another one with -i FILE",
};

function listLeftovers(pilots: readonly OpenPilot[], problem: string): Leftover[] {
  return pilots.map(({ cluster, inventory, id, token }) =>
    createLeftPilot(`${cluster}/${id ?? token}`, inventory, problem),
  );
}
