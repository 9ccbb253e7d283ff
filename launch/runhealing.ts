import type { RunHealing } from "../executor/run/runhealing.js";
import type { Connection } from "../fleet/connection.js";
import type { Inventory } from "../fleet/inventory.js";
import { HealNotifier } from "./healnotifier.js";

/** Returns what a run needs to heal nodes of this inventory; undefined where that does not ask for it. Code is loaded with the first healing. */
export function createRunHealing(inventory: Inventory): RunHealing | undefined {
  const { file, folder, heal: settings } = inventory;
  if (file === undefined || settings === undefined) return undefined;
  const healable = { ...inventory, file, heal: settings };
  const load = async () => {
    const [{ createHealTools }, { loadPlaybooks }] = await Promise.all([
      import("./heal.js"),
      import("../playbooks/engine/loadplaybooks.js"),
    ]);
    return createHealTools(healable, () => loadPlaybooks(inventory.playbooks, inventory));
  };
  const notifier = new HealNotifier(healable);
  return {
    inventory: file,
    folder,
    settings,
    checkGpus: async (connection: Connection) => (await load()).checkGpus(connection),
    provision: async (connection: Connection) => (await load()).provision(connection),
    notify: (step) => notifier.notify(step),
    finish: () => notifier.finish(),
  };
}
