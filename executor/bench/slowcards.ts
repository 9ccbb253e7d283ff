import { type BenchedCard, findRate, type PassKind } from "./benchcards.js";
import { findMedian } from "./measurement.js";

/** A card is slow that is this much below the median of its like. */
export const SLOW_SHARE = 0.1;
/** With fewer alike, nobody knows which of them is right. */
const LEAST_ALIKE = 3;

/** A card that is slow beside cards of the same kind. Rates in units a second. */
export interface SlowCard {
  card: BenchedCard;
  order: PassKind["order"];
  rate: number;
  median: number;
  /** How many cards of its kind were measured, itself included. */
  alike: number;
}

/**
 * Pure: names the cards whose rate is more than a tenth below the median of all cards of their kind, of all nodes, where there are at
 * least three. A card that is slow alone and beside others is named once, for being slow alone.
 */
export function findSlowCards(cards: readonly BenchedCard[]): SlowCard[] {
  const orders: PassKind["order"][] = ["alone", "together"];
  const found = orders.flatMap((order) => findSlowIn(cards, order));
  return found.filter(({ card }, index) => found.findIndex((one) => one.card === card) === index);
}

function findSlowIn(cards: readonly BenchedCard[], order: PassKind["order"]): SlowCard[] {
  return groupByKind(cards).flatMap((alike) => {
    const rated = alike.flatMap((card) => {
      const rate = findRate(card, { order });
      return rate === undefined ? [] : [{ card, rate }];
    });
    if (rated.length < LEAST_ALIKE) return [];
    const median = findMedian(rated.map(({ rate }) => rate));
    const slow = rated.filter(({ rate }) => rate < median * (1 - SLOW_SHARE));
    return slow.map(({ card, rate }) => ({ card, order, rate, median, alike: rated.length }));
  });
}

/** Groups cards that should be alike. */
export function groupByKind<T extends Pick<BenchedCard, "kind">>(cards: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const card of cards) groups.set(card.kind, [...(groups.get(card.kind) ?? []), card]);
  return [...groups.values()];
}
