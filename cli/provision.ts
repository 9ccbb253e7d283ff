import type { Connection } from "../fleet/connection.js";
import { findInventory, selectNodes } from "../fleet/inventory.js";
import type { InspectionResult } from "../playbooks/engine/inspecteachnode.js";
import type { RolloutSettings } from "../playbooks/engine/rollout.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { parseUnitPart } from "../schemas/quantity.js";
import { createIdleWaits } from "./idlewaits.js";
import { exitStatusOfReports, loadRequestedPlaybooks, reportOnNodes } from "./playbooks.js";
import { createProvisioning, type ProvisionOptions, readSerial, skipUnlessRebooted } from "./provisionoptions.js";

/** `muster provision [PLAYBOOK...]`: brings every node into the state that its playbooks describe. Returns the exit status. */
export async function provision(names: string[], options: ProvisionOptions, writers: Writers): Promise<number> {
  rejectHealOptions(options);
  rejectRebootOptions(options);
  if (options.check) return (await import("./verify.js")).verify(names, options, writers);
  const inventory = findInventory(options.inventory, process.env, process.cwd());
  if (options.heal) return (await import("./provisionheal.js")).provisionAndHeal(names, inventory, options, writers);
  const playbooks = await loadRequestedPlaybooks(names, inventory, options, writers);
  const nodes = selectNodes(inventory, options.limit);
  const rollout = readRollout(options, nodes.length);
  if (options.reboot)
    return (await import("./provisionreboot.js")).provisionAndReboot(playbooks, inventory, rollout, options, writers);
  const idleWaits = createIdleWaits(inventory, options, writers);
  const provisioning = createProvisioning(playbooks, inventory, options, writers, idleWaits);
  const provisionOrSkip = skipUnlessRebooted(provisioning, playbooks, options, writers);
  const work = async (connection: Connection): Promise<InspectionResult> =>
    idleWaits.isStopped ? { notStarted: "muster was interrupted before it" } : provisionOrSkip(connection);
  const reports = await reportOnNodes(nodes, work, options, writers, { rollout });
  return idleWaits.close() ?? exitStatusOfReports(reports, 3);
}

/** Throws UsageError for a wrong `--serial` or `--max-fail`. undefined = all nodes at once. */
function readRollout(options: ProvisionOptions, nodes: number): RolloutSettings | undefined {
  const { maxFail } = options;
  const serial = readSerial(options);
  if (serial === undefined) {
    if (maxFail !== undefined)
      throw new UsageError("--max-fail goes with --serial", "All nodes are provisioned at once without it.");
    return undefined;
  }
  const part = parseUnitPart(/^\d+$/.test(serial) ? Number(serial) : serial);
  if (!part.ok)
    throw new UsageError(`--serial ${serial}: it must be a number of nodes, or a share of them`, "e.g. --serial 1");
  if (maxFail !== undefined && !/^\d{1,9}$/.test(maxFail))
    throw new UsageError(`--max-fail ${maxFail}: it must be a number of nodes`, "e.g. --max-fail 1");
  const { value } = part;
  const size = "count" in value ? Number(value.count) : Number((BigInt(nodes) * value.numerator) / value.denominator);
  return { size: Math.max(1, size), maxFailures: Number(maxFail ?? 0) };
}

/** Throws UsageError where `--reboot` and its wait do not fit the other options. */
function rejectRebootOptions({ reboot, rebootWait, heal, check }: ProvisionOptions): void {
  if (!reboot && rebootWait !== undefined)
    throw new UsageError("--reboot-wait goes with --reboot", "Nothing is rebooted without it.");
  if (reboot && heal)
    throw new UsageError("--reboot and --heal exclude each other", "Run `muster provision --heal` first.");
  if (reboot && check)
    throw new UsageError("--reboot and --check exclude each other", "`muster provision --check` says what needs one.");
}

function rejectHealOptions({ heal, plan, metrics, check, serial, maxFail }: ProvisionOptions): void {
  if (!heal && (plan || metrics !== undefined))
    throw new UsageError("--plan and --metrics go with --heal", "To see what would change: muster provision --check.");
  if (heal && check) throw new UsageError("--heal and --check exclude each other", "Use --heal --plan.");
  if (heal && (serial !== undefined || maxFail !== undefined))
    throw new UsageError(
      "--serial and --max-fail do not go with --heal, which provisions all nodes at once",
      "Run `muster provision --serial N` first, then `muster provision --heal`.",
    );
}
