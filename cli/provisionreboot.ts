import { Dialer } from "../fleet/connect.js";
import type { Connection } from "../fleet/connection.js";
import { type Inventory, selectNodes } from "../fleet/inventory.js";
import { provisionWithReboots } from "../launch/provisionreboot.js";
import type { RebootTools } from "../launch/rebootnode.js";
import type { InspectionResult } from "../playbooks/engine/inspecteachnode.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import type { RolloutSettings } from "../playbooks/engine/rollout.js";
import { formatHealStep } from "../report/healtext.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { createIdleWaits } from "./idlewaits.js";
import { handleInterrupt } from "./interrupt.js";
import { parseDurationOption } from "./options.js";
import { exitStatusOfReports, reportOnNodes } from "./playbooks.js";
import { createProvisioning, type ProvisionOptions, skipUnlessRebooted } from "./provisionoptions.js";

const DEFAULT_WAIT_SECONDS = 600;

/** `muster provision --reboot [PLAYBOOK...]`: provisions nodes, and reboots those that need it. Returns the exit status. */
export async function provisionAndReboot(
  playbooks: NamedPlaybook[],
  inventory: Inventory,
  rollout: RolloutSettings | undefined,
  options: ProvisionOptions,
  writers: Writers,
): Promise<number> {
  const { file } = inventory;
  if (file === undefined)
    throw new UsageError("--reboot drains nodes, which needs an inventory file", "Name one with -i FILE.");
  const { rebootWait } = options;
  const waitSeconds =
    rebootWait === undefined ? DEFAULT_WAIT_SECONDS : parseDurationOption("--reboot-wait", rebootWait);
  const interrupt = handleInterrupt();
  const tools: RebootTools = {
    inventory: file,
    dialer: new Dialer(),
    waitSeconds,
    report: (node, text) => {
      if (!options.quiet) writers.err(formatHealStep({ node: node.name, text }));
    },
    stop: interrupt.signal,
  };
  const idleWaits = createIdleWaits(inventory, options, writers);
  const pass = createProvisioning(playbooks, inventory, options, writers, idleWaits, "reboot first");
  const work = skipUnlessRebooted(
    (connection) => provisionWithReboots(connection, pass, tools),
    playbooks,
    options,
    writers,
  );
  const unlessStopped = async (connection: Connection): Promise<InspectionResult> =>
    interrupt.signal.aborted ? { notStarted: "muster was interrupted before it" } : work(connection);
  try {
    const nodes = selectNodes(inventory, options.limit);
    const reports = await reportOnNodes(nodes, unlessStopped, options, writers, { rollout });
    return interrupt.exitStatus() ?? exitStatusOfReports(reports, 3);
  } finally {
    idleWaits.close();
    interrupt.release();
  }
}
