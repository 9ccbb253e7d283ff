import type { Inventory } from "../../fleet/inventory.js";
import { type BenchedCard, capOf, findRate, findWatts } from "./benchcards.js";
import { findMedian } from "./measurement.js";

/** A rate of the inventory that is this close to the measured one stays. */
const CLOSE_SHARE = 0.1;
/** A power limit is proposed only where the cards keep this share of their highest rate. */
const KEPT_SHARE = 0.9;

/** Measurements of power differ this much by chance: of limits whose work per Wh is this close to the best, the lowest is chosen. */
const EQUAL_SHARE = 0.03;

/** A line for the inventory. `have`: what it says now. */
export interface ProposedLine {
  /** The keys that lead to the mapping: `["profiles", "rx6600"]`. */
  path: readonly string[];
  key: "rate" | "power";
  value: string;
  have?: string;
  why: string;
}

/** What a power limit does to the cards of a profile: medians. */
export interface CapFigures {
  watts: number;
  rate: number;
  /** What the cards drew. */
  drawnWatts?: number;
}

/** What the inventory says of the cards that are described in one place. */
export interface DescribedCards {
  path: readonly string[];
  cards: readonly BenchedCard[];
  rate?: number;
  powerWatts?: number;
}

/** Groups cards by where the inventory describes them: by profile, or by node where the node describes its GPUs itself. */
export function groupByDescription(cards: readonly BenchedCard[], inventory: Inventory): DescribedCards[] {
  const groups = new Map<string, BenchedCard[]>();
  for (const card of cards) {
    const key = JSON.stringify(card.profile === undefined ? ["nodes", card.node] : ["profiles", card.profile]);
    groups.set(key, [...(groups.get(key) ?? []), card]);
  }
  return [...groups].map(([key, own]) => {
    const path = JSON.parse(key) as string[];
    const node = inventory.nodes.find(({ name }) => name === own[0]!.node)!;
    const profiles = [node.profile, ...(node.gpuGroups ?? []).map(({ profile }) => profile)];
    const profile = profiles.find(({ name }) => name === own[0]!.profile) ?? node.profile;
    const { rate, settings } = profile;
    return {
      path,
      cards: own,
      ...(rate === undefined ? {} : { rate }),
      ...(settings.powerWatts === undefined ? {} : { powerWatts: settings.powerWatts }),
    };
  });
}

/**
 * Pure: proposes lines for the inventory. `areUnits`: rates are in the units of a range, as those of the inventory are. Others only say how
 * cards compare, so they are proposed where there is no rate yet.
 */
export function proposeLines(groups: readonly DescribedCards[], areUnits: boolean): ProposedLine[] {
  return groups.flatMap((group) => [...proposeRate(group, areUnits), ...proposePower(group)]);
}

function proposeRate({ path, cards, rate: have }: DescribedCards, areUnits: boolean): ProposedLine[] {
  const rates = cards.flatMap((card) => findRate(card, { order: "together" }) ?? []);
  if (rates.length === 0 || (have !== undefined && !areUnits)) return [];
  const median = findMedian(rates);
  if (have !== undefined && Math.abs(have - median) <= CLOSE_SHARE * median) return [];
  const value = `${Number(median.toPrecision(3))}`;
  const why = `median of ${rates.length} GPU${rates.length === 1 ? "" : "s"} under full load`;
  return [{ path, key: "rate", value, ...(have === undefined ? {} : { have: `${have}` }), why }];
}

function proposePower({ path, cards, powerWatts: have }: DescribedCards): ProposedLine[] {
  const figures = listCaps(cards);
  const best = chooseCap(figures);
  if (best === undefined || best.watts === have) return [];
  const highest = Math.max(...figures.map(({ rate }) => rate));
  const kept = Math.round((100 * best.rate) / highest);
  const why = `most work per Wh of ${figures.length} limits that keep ${KEPT_SHARE * 100} % of the rate; it keeps ${kept} %`;
  return [{ path, key: "power", value: `${best.watts}W`, ...(have === undefined ? {} : { have: `${have}W` }), why }];
}

/** Returns what each power limit does to these cards, the lowest first. */
export function listCaps(cards: readonly BenchedCard[]): CapFigures[] {
  const caps = new Set(cards.flatMap(({ passes }) => passes.flatMap((pass) => capOf(pass) ?? [])));
  return [...caps]
    .sort((a, b) => a - b)
    .flatMap((watts) => {
      const kind = { order: "together", capWatts: watts } as const;
      const rates = cards.flatMap((card) => findRate(card, kind) ?? []);
      const drawn = cards.flatMap((card) => findWatts(card, kind) ?? []);
      if (rates.length === 0) return [];
      return [{ watts, rate: findMedian(rates), ...(drawn.length === 0 ? {} : { drawnWatts: findMedian(drawn) }) }];
    });
}

/** Pure: chooses the limit with the most work per Wh among those that keep nine tenths of the highest rate; of nearly equal ones the lowest. */
export function chooseCap(figures: readonly CapFigures[]): CapFigures | undefined {
  if (figures.length < 2) return undefined;
  const highest = Math.max(...figures.map(({ rate }) => rate));
  const rated = figures.flatMap((one) => (one.drawnWatts ? [{ one, workPerWatt: one.rate / one.drawnWatts }] : []));
  const fast = rated.filter(({ one }) => one.rate >= KEPT_SHARE * highest);
  const best = Math.max(...fast.map(({ workPerWatt }) => workPerWatt));
  const good = fast.filter(({ workPerWatt }) => workPerWatt >= (1 - EQUAL_SHARE) * best);
  return good.map(({ one }) => one).sort((a, b) => a.watts - b.watts)[0];
}
