import type { BenchedCard } from "./benchcards.js";
import { groupByKind } from "./slowcards.js";

/** Cards that compute wrongly, and results that differ so that nobody knows which are right. */
export interface ResultFindings {
  wrong: { card: BenchedCard; reason: string }[];
  /** Cards of one comparison whose results differ, none of which most cards have. */
  undecided: BenchedCard[][];
}

/**
 * Pure: compares what cards computed from the same input. `known`: the right result where it is known, as of the built-in load; else most of
 * the cards of a kind decide, and their number must be more than half. Cards of different kinds may round differently.
 */
export function findWrongCards(cards: readonly BenchedCard[], known: string | undefined): ResultFindings {
  const findings = (known === undefined ? groupByKind(cards) : [cards]).map((group) => compareResults(group, known));
  return {
    wrong: findings.flatMap(({ wrong }) => wrong),
    undecided: findings.flatMap(({ undecided }) => undecided),
  };
}

function compareResults(cards: readonly BenchedCard[], known: string | undefined): ResultFindings {
  const results = cards.map((card) => {
    const all = card.passes.flatMap(({ measurements }) => measurements).filter((one) => one.notTheCard === undefined);
    const digests = all.flatMap(({ digest }) => (digest === undefined ? [] : [digest]));
    const batches = sum(all.map((one) => one.batches ?? 0));
    return { card, digests, batches, wrongBatches: sum(all.map((one) => one.wrongBatches ?? 0)) };
  });
  const right = known ?? findMajority(results.map(({ digests }) => findMajority(digests)));
  const compared = results.filter(({ digests }) => digests.length > 0);
  const distinct = new Set(compared.flatMap(({ digests }) => digests));
  if (right === undefined) return { wrong: [], undecided: distinct.size > 1 ? [compared.map(({ card }) => card)] : [] };
  const wrong = compared.flatMap(({ card, digests, batches, wrongBatches }) => {
    const bad = digests.filter((digest) => digest !== right).length;
    const than = known === undefined ? "most cards of its kind have" : "it must be";
    if (bad > 0)
      return [{ card, reason: `${bad} of ${digests.length} results ${bad === 1 ? "is" : "are"} not what ${than}` }];
    if (wrongBatches > 0)
      return [{ card, reason: `${wrongBatches} of ${batches} batches differ from its own first one` }];
    return [];
  });
  return { wrong, undecided: [] };
}

/** Returns the text that more than half of all have, undefined ones included. */
function findMajority(texts: readonly (string | undefined)[]): string | undefined {
  const counts = new Map<string, number>();
  for (const text of texts) if (text !== undefined) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].find(([, count]) => count * 2 > texts.length)?.[0];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0);
}
