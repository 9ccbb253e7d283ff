import { setTimeout as sleep } from "node:timers/promises";
import { listGpuGroups, listVendors } from "../fleet/gpus/gpugroups.js";
import { PCI_BUS_SCRIPT } from "../fleet/gpus/pcibus.js";
import type { GpuVendor } from "../fleet/gpus/probeoutput.js";
import type { GpuGroup, Node } from "../fleet/node.js";
import { MusterError } from "../schemas/errors.js";
import type { ChangeContext, Difference, PlaybookContext, Probe, Resource } from "./engine/resource.js";
import { applySteps } from "./power/applysteps.js";
import {
  assessSettings,
  listChangeSteps,
  listReadingSteps,
  type SettingAnswers,
  type SettingAssessment,
} from "./power/assessment.js";
import { STEP_TIMEOUT_SECONDS } from "./power/cardsteps.js";
import { groupCards } from "./power/groupcards.js";
import { readingCommand } from "./power/stepcommand.js";

/** Beyond the timeout of a step: GPUs that sleep are woken first. */
const SPARE_SECONDS = 10;
/** How long clocks and fans may take to reach what was set. */
const SETTLE_TRIES = 10;
const SETTLE_PAUSE_MS = 500;
const SLOW_SETTINGS = ["sclk", "mclk", "fan"];

/**
 * Keeps the power limit, clocks, fan, performance level and modes of GPUs, those of each vendor by its own means. They are lost at a reboot:
 * `provision --if-rebooted` restores them.
 */
export default function* power({ node }: PlaybookContext): Generator<Resource> {
  for (const vendor of listVendors(node)) {
    const groups = listGpuGroups(node).filter((one) => one.profile.vendor === vendor && hasSettings(one));
    if (groups.length > 0) yield settingsResource(vendor, groups, node) as Resource;
  }
}

function hasSettings({ profile, count }: GpuGroup): boolean {
  return count !== 0 && Object.values(profile.settings).some((value) => value !== undefined);
}

function settingsResource(vendor: GpuVendor, groups: GpuGroup[], node: Node): Resource<SettingAnswers> {
  const timeout = STEP_TIMEOUT_SECONDS + SPARE_SECONDS;
  const ask = (argv: string[]): Probe => ({ ask: "command", argv, timeout });
  const read = readingCommand(vendor, node.python, listReadingSteps(vendor, groups));
  const assess = (answers: SettingAnswers) => assessSettings(vendor, groups, answers);
  const probe: Probe = { ask: "all", of: [ask(["/bin/sh", "-c", PCI_BUS_SCRIPT]), ask(read)] };
  return {
    name: listVendors(node).length > 1 ? `gpu settings of ${vendor}` : "gpu settings",
    probe,
    diff: (answers) => formatDifferences(assess(answers)),
    change: async (answers, context) => {
      const assessment = assess(answers);
      await changeSettings(vendor, assessment, context);
      await settle(assessment, async () => assess(await context.ask(probe)));
    },
    notes: (answers) => assess(answers).notes,
  };
}

function formatDifferences({ cards, problem }: SettingAssessment): Difference[] {
  return [
    ...(problem === undefined ? [] : [problem]),
    ...cards.flatMap(({ pci, differences }) =>
      differences.map(({ setting, have, want, refusal }) => ({
        what: `GPU ${pci} ${setting}`,
        have: refusal === undefined ? have : `${have} (${refusal})`,
        want,
      })),
    ),
  ];
}

/** Changes nothing if any GPU cannot take what is wanted (REFUSED). */
async function changeSettings(
  vendor: GpuVendor,
  { cards, problem }: SettingAssessment,
  context: ChangeContext,
): Promise<void> {
  if (problem !== undefined) throw new MusterError("PROBE", `${problem.what}: ${problem.have}`);
  const refusals = cards.flatMap(({ pci, differences }) =>
    differences.flatMap(({ setting, want, refusal }) =>
      refusal === undefined ? [] : [[pci, `${setting} cannot be ${want}: ${refusal}`] as const],
    ),
  );
  if (refusals.length > 0)
    throw new MusterError("REFUSED", `${groupCards(refusals)}. No setting was changed`, {
      next: "Correct the settings in the profile, or leave out what the card does not offer.",
    });
  await applySteps(vendor, new Map(cards.map((card) => [card.pci, listChangeSteps(vendor, card)])), context);
}

async function settle({ cards }: SettingAssessment, look: () => Promise<SettingAssessment>): Promise<void> {
  const isSlow = cards.some(({ differences }) => differences.some(({ setting }) => SLOW_SETTINGS.includes(setting)));
  for (let tries = 0; isSlow && tries < SETTLE_TRIES; tries++) {
    if ((await look()).cards.length === 0) return;
    await sleep(SETTLE_PAUSE_MS);
  }
}
