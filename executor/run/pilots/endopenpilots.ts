import type { Engine } from "../../../fleet/engine.js";
import type { Journal } from "../record/journal.js";
import type { OpenPilot } from "../record/openpilots.js";
import { endPilots } from "./endpilots.js";
import { PilotRecords } from "./pilotrecords.js";

/** What became of the pilots of a run on one cluster. `problem`: why some may still exist. */
export interface ClusterEnd {
  cluster: string;
  /** The ids that were cancelled now. */
  ids: string[];
  problem?: string;
}

/**
 * Ends the pilots of a run that may exist, and records that they are over. `findEngine`: undefined where no inventory has the cluster.
 * Errors of clusters are in the result.
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
      if (engine === undefined)
        return { cluster, ids: [], problem: "it is not in the inventory any more; name another one with -i FILE" };
      const ended = await endPilots(engine, runIds);
      const records = new PilotRecords(journal, inventory);
      if (ended.problem === undefined) for (const pilot of pilots) records.recordEnd(cluster, pilot, "cancelled");
      await journal.flush();
      return { cluster, ...ended };
    }),
  );
}
