import type { Connection } from "../../fleet/connection.js";
import type { GpuVendor } from "../../fleet/gpus/probeoutput.js";
import { MusterError } from "../../schemas/errors.js";
import { amdChangeSteps, amdReadingSteps, readAmdPower } from "./amdcard.js";
import { type CardStep, parseStepAnswer, Readings, STEP_TIMEOUT_SECONDS } from "./cardsteps.js";
import { groupCards } from "./groupcards.js";
import { nvidiaChangeSteps, nvidiaReadingSteps, readNvidiaPower } from "./nvidiacard.js";
import { comparePower, type PowerLimit } from "./powerlimit.js";
import { readingCommand } from "./stepcommand.js";

const VENDORS = {
  amd: { readingSteps: amdReadingSteps, read: readAmdPower, changeSteps: amdChangeSteps },
  nvidia: { readingSteps: nvidiaReadingSteps, read: readNvidiaPower, changeSteps: nvidiaChangeSteps },
};
/** For a node that is slow to start Python, and GPUs that sleep. */
const SPARE_SECONDS = 20;

/** The power limits of GPUs, by PCI address. */
export type CardLimits = ReadonlyMap<string, PowerLimit>;

/** Reads the power limits of all GPUs of a vendor; root is not needed. Rejects with PROBE where they are not told. */
export async function readCardLimits(connection: Connection, vendor: GpuVendor): Promise<CardLimits> {
  const steps = VENDORS[vendor].readingSteps({ powerWatts: 1 });
  const argv = readingCommand(vendor, connection.node.python, steps);
  const done = await connection.exec(argv, { timeout: STEP_TIMEOUT_SECONDS + SPARE_SECONDS });
  const exit = done.kind === "exit" ? done.code : null;
  const error = done.kind === "timeout" ? `no answer within ${done.seconds} s` : undefined;
  const answer = parseStepAnswer({ stdout: done.stdout, stderr: done.stderr, exit, error });
  if ("problem" in answer) throw new MusterError("PROBE", `power limits cannot be read: ${answer.problem}`);
  return new Map([...answer.cards].map(([pci, results]) => [pci, VENDORS[vendor].read(new Readings(steps, results))]));
}

/** Returns the steps that give a GPU a power limit. */
export function limitSteps(vendor: GpuVendor, watts: number): CardStep[] {
  return VENDORS[vendor].changeSteps({ powerWatts: watts }, new Readings([], []), new Set(["power"]));
}

/** Pure: says why some of these GPUs cannot be given a power limit; undefined = all can. */
export function findLimitRefusal(limits: CardLimits, cards: readonly string[], watts: number): string | undefined {
  const refusals = cards.flatMap((pci): [string, string][] => {
    const limit = limits.get(pci);
    if (limit === undefined) return [[pci, "its power limit is unknown"]];
    const [difference] = comparePower(watts, limit);
    if (limit.now === undefined) return [[pci, `its power limit is unknown: ${limit.refusal ?? limit.unread}`]];
    return difference?.refusal === undefined ? [] : [[pci, `power cannot be ${watts} W: ${difference.refusal}`]];
  });
  return refusals.length === 0 ? undefined : groupCards(refusals);
}

/** Pure: says which of these GPUs do not have a power limit; undefined = all have it. */
export function findOtherLimits(limits: CardLimits, cards: readonly string[], watts: number): string | undefined {
  const others = cards.flatMap((pci): [string, string][] => {
    const [difference] = comparePower(watts, limits.get(pci) ?? { unread: "unknown" });
    return difference === undefined ? [] : [[pci, `it is ${difference.have}`]];
  });
  return others.length === 0 ? undefined : groupCards(others);
}

/** How many limits are measured where the user names none. */
const CHOSEN_LIMITS = 4;

/** Pure: chooses limits between the lowest and the highest that all of these GPUs take, in whole watts; none where they do not say. */
export function chooseLimits(limits: CardLimits, cards: readonly string[]): number[] {
  const own = cards.flatMap((pci) => limits.get(pci) ?? []);
  const lowest = Math.ceil(Math.max(...own.map((one) => one.lowest ?? Number.NaN)));
  const highest = Math.floor(Math.min(...own.map((one) => one.highest ?? Number.NaN)));
  if (own.length === 0 || !(lowest < highest)) return [];
  const step = (highest - lowest) / (CHOSEN_LIMITS - 1);
  return [...new Set(Array.from({ length: CHOSEN_LIMITS }, (_, index) => Math.round(lowest + index * step)))];
}
