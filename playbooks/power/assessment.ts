import { listAddresses } from "../../fleet/gpus/gpugroups.js";
import type { GpuSettings } from "../../fleet/gpus/gpusettings.js";
import { parsePciBus, parseRuntimeStatus } from "../../fleet/gpus/pcibus.js";
import type { GpuVendor } from "../../fleet/gpus/probeoutput.js";
import { isAsleep } from "../../fleet/gpus/sickness.js";
import type { GpuGroup } from "../../fleet/node.js";
import type { CommandState, Difference } from "../engine/resource.js";
import { amdChangeSteps, amdReadingSteps, compareAmd } from "./amdcard.js";
import { type CardStep, parseStepAnswer, Readings, type SettingDifference } from "./cardsteps.js";
import { compareNvidia, isLostByDriver, noteForgetting, nvidiaChangeSteps, nvidiaReadingSteps } from "./nvidiacard.js";

/** The node's answers: its PCI bus; the runtime status of its GPUs and what the steps have read. */
export type SettingAnswers = [bus: CommandState, readings: CommandState];

/** A GPU whose settings are not as they are wanted. */
export interface DifferingCard {
  pci: string;
  settings: GpuSettings;
  readings: Readings;
  differences: SettingDifference[];
}

/** The GPUs of one vendor in a node, compared with the inventory. */
export interface SettingAssessment {
  cards: DifferingCard[];
  /** Why nothing can be compared. */
  problem?: Difference;
  /** GPUs that are not there or asleep, and settings that may not last. */
  notes: string[];
}

/** How the GPUs of a vendor are read, compared and changed. */
const VENDORS = {
  amd: { readingSteps: amdReadingSteps, compare: compareAmd, changeSteps: amdChangeSteps },
  nvidia: { readingSteps: nvidiaReadingSteps, compare: compareNvidia, changeSteps: nvidiaChangeSteps },
};

/** Returns the steps that read the settings of all groups of a vendor. */
export function listReadingSteps(vendor: GpuVendor, groups: readonly GpuGroup[]): CardStep[] {
  const steps = groups.flatMap(({ profile }) => VENDORS[vendor].readingSteps(profile.settings));
  return [...new Map(steps.map((step) => [JSON.stringify(step), step])).values()];
}

/** Returns the steps that change what differs on a GPU. */
export function listChangeSteps(vendor: GpuVendor, { settings, readings, differences }: DifferingCard): CardStep[] {
  const differing = new Set(differences.map(({ setting }) => setting));
  return VENDORS[vendor].changeSteps(settings, readings, differing);
}

/** Pure: compares the GPUs of a vendor with what its groups declare. Accepts any answer. */
export function assessSettings(
  vendor: GpuVendor,
  groups: readonly GpuGroup[],
  [bus, answer]: SettingAnswers,
): SettingAssessment {
  const parsed = parseStepAnswer(answer);
  const addresses = listAddresses(groups);
  const onBus = parsePciBus(vendor, bus, addresses).gpus;
  if ("problem" in parsed) return createUnanswered(vendor, parsed.problem);
  if (bus.error !== undefined) return createUnanswered(vendor, bus.error);
  const statuses = vendor === "amd" ? parseRuntimeStatus(answer) : new Map<string, string>();
  const steps = listReadingSteps(vendor, groups);
  const cards: DifferingCard[] = [];
  const notes: string[] = [];
  let present = 0;
  for (const { pci, settings } of listWantedCards(groups, onBus, notes)) {
    const readings = new Readings(steps, parsed.cards.get(pci) ?? []);
    if (vendor === "nvidia" && isLostByDriver(readings)) {
      notes.push(`GPU ${pci} is lost by its driver, so its settings are not compared`);
      continue;
    }
    present++;
    const status = statuses.get(pci);
    if (isAsleep(status)) {
      notes.push(`GPU ${pci} sleeps (power/runtime_status: ${status}), so its settings are not compared`);
      continue;
    }
    const differences = VENDORS[vendor].compare(settings, readings);
    if (differences.length > 0) cards.push({ pci, settings, readings, differences });
    const note = vendor === "nvidia" ? noteForgetting(settings, readings) : undefined;
    if (note !== undefined) notes.push(`GPU ${pci}: ${note}`);
  }
  const want = describeCount(groups);
  const problem = present === 0 ? { what: `GPUs of ${vendor}`, have: "none can be used", want } : undefined;
  return { cards, problem, notes };
}

function createUnanswered(vendor: GpuVendor, reason: string): SettingAssessment {
  const problem = { what: `GPUs of ${vendor}`, have: `cannot be examined: ${reason}`, want: "a report" };
  return { cards: [], problem, notes: [] };
}

function describeCount(groups: readonly GpuGroup[]): string {
  const count = groups.reduce((sum, one) => sum + (one.count ?? one.pci?.length ?? 0), 0);
  return count === 0 ? "some" : `${count}`;
}

/** Lists the GPUs whose settings are declared and that are on the bus; notes those that are not there. */
function listWantedCards(
  groups: readonly GpuGroup[],
  onBus: readonly string[],
  notes: string[],
): { pci: string; settings: GpuSettings }[] {
  let taken = 0;
  return groups.flatMap(({ profile: { settings }, pci, count }) => {
    const wanted = pci ?? onBus.slice(taken, count === undefined ? undefined : taken + count);
    taken += wanted.length;
    for (const address of wanted.filter((one) => !onBus.includes(one)))
      notes.push(`GPU ${address} is not on the PCI bus, so its settings are not compared`);
    if (pci === undefined && count !== undefined && wanted.length < count)
      notes.push(`${wanted.length} of ${count} GPUs were found; the settings of the others are not compared`);
    return wanted.filter((one) => onBus.includes(one)).map((one) => ({ pci: one, settings }));
  });
}
