import type { HealDecision } from "../fleet/healing/decidehealing.js";
import type { HealStep } from "../fleet/healing/healcontext.js";
import { healFilePath, readHealRecords } from "../fleet/healing/healfile.js";
import { findHealProblems } from "../fleet/healing/healproblems.js";
import { lookAtNodes } from "../fleet/healing/lookatnodes.js";
import { type Inventory, loadInventory, selectNodes } from "../fleet/inventory.js";
import type { Node } from "../fleet/node.js";
import { type HealableInventory, healNodes, type LookAtFleet, planHealing, requireHealing } from "../launch/heal.js";
import { HealNotifier } from "../launch/healnotifier.js";
import type { NamedPlaybook } from "../playbooks/engine/planresources.js";
import { checkGpus } from "../playbooks/gpu.js";
import { formatHealDecision, formatHealPlan, formatHealStep } from "../report/healtext.js";
import { buildHealMetrics } from "../report/prometheus.js";
import type { Writers } from "../report/writers.js";
import { formatJson } from "../schemas/escape.js";
import { createIdleWaits } from "./idlewaits.js";
import { handleInterrupt } from "./interrupt.js";
import { writeMetrics } from "./metricsfile.js";
import { exitStatusOfReports, loadRequestedPlaybooks, reportOnNodes } from "./playbooks.js";
import { createProvisioning, type ProvisionOptions, skipUnlessRebooted } from "./provisionoptions.js";
import { withProgress } from "./withprogress.js";

/**
 * `muster provision --heal [PLAYBOOK...]`: heals the nodes that stay away or have sick GPUs, then provisions all; with `--plan`, shows what
 * would be healed. Returns the exit status.
 */
export async function provisionAndHeal(
  names: string[],
  found: Inventory,
  options: ProvisionOptions,
  writers: Writers,
): Promise<number> {
  const inventory = requireHealing(found);
  const nodes = selectNodes(inventory, options.limit);
  const problems = findHealProblems(nodes, inventory.heal, inventory.folder);
  if (!options.quiet) for (const problem of problems) writers.err(`heal: ${problem}`);
  const hasPlaybooks = names.length > 0 || inventory.playbooks.length > 0;
  const playbooks = hasPlaybooks ? await loadRequestedPlaybooks(names, inventory, options, writers) : [];
  if (options.plan) {
    const decisions = await planHealing(inventory, nodes, createLook(options, writers));
    writers.out(options.json ? formatJson({ healing: { decisions, problems } }, 2) : formatHealPlan(decisions));
    return 0;
  }
  const { isFine, code, document } = await healAndReport(inventory, nodes, playbooks, options, writers);
  if (options.metrics !== undefined) {
    const records = readHealRecords(healFilePath(inventory.file));
    writeMetrics(options.metrics, buildHealMetrics(nodes, records, Date.now()));
  }
  if (code !== undefined) return code;
  if (!hasPlaybooks) {
    if (options.json) writers.out(formatJson(document, 2));
    else if (!options.quiet && isUneventful(document)) writers.out("nothing to heal");
    return isFine ? 0 : 3;
  }
  // Healing has begun and ended drains.
  const current = selectNodes(loadInventory(inventory.file), options.limit);
  const idleWaits = createIdleWaits(inventory, options, writers);
  const provisioning = createProvisioning(playbooks, inventory, options, writers, idleWaits);
  const work = skipUnlessRebooted(provisioning, playbooks, options, writers);
  const reports = await reportOnNodes(current, work, options, writers, document);
  return idleWaits.close() ?? (exitStatusOfReports(reports, 3) || (isFine ? 0 : 3));
}

/** Returns what looks at nodes, and says meanwhile which ones it waits for. */
function createLook(options: ProvisionOptions, writers: Writers): LookAtFleet {
  return (nodes) =>
    withProgress(nodes, options, writers, (done) => lookAtNodes(nodes, checkGpus, (node) => done(node)));
}

/** `code`: the exit status for the signal that has interrupted it. `document`: what is added to the JSON of the command. */
interface HealReport {
  isFine: boolean;
  code: number | undefined;
  document: { healing: { steps: HealStep[]; left: HealDecision[] } };
}

function isUneventful({ healing: { steps, left } }: HealReport["document"]): boolean {
  return steps.length + left.length === 0;
}

async function healAndReport(
  inventory: HealableInventory,
  nodes: Node[],
  playbooks: NamedPlaybook[],
  options: ProvisionOptions,
  writers: Writers,
): Promise<HealReport> {
  const interrupt = handleInterrupt();
  const notifier = new HealNotifier(inventory);
  const healing: HealReport["document"]["healing"] = { steps: [], left: [] };
  try {
    const isFine = await healNodes(inventory, nodes, {
      playbooks,
      look: createLook(options, writers),
      report: (step) => {
        healing.steps.push(step);
        notifier.notify(step);
        // A person has to look at what failed, also under cron.
        if (!options.quiet || step.step === "failed" || step.step === "given up") writers.err(formatHealStep(step));
      },
      onLeft: (left) => {
        healing.left = left;
        if (!options.quiet) for (const decision of left) writers.err(formatHealDecision(decision));
      },
      stop: interrupt.signal,
    });
    for (const line of await notifier.finish()) writers.err(line);
    return { isFine, code: interrupt.exitStatus(), document: { healing } };
  } finally {
    interrupt.release();
  }
}
