import type { BenchedCard } from "./benchcards.js";
import type { NodeFindings } from "./benchnode.js";
import type { ProposedLine } from "./proposals.js";
import type { SlowCard } from "./slowcards.js";
import type { ResultFindings } from "./wrongcards.js";

/** All that a bench has found. */
export interface BenchFindings {
  /** Where the runs of its passes are. */
  folder: string;
  /** The unit of rates: "Mstep/s" of the built-in load, "units/s" of a user's job. */
  unit: string;
  nodes: readonly NodeFindings[];
  /** Nodes that were not measured, and why. */
  leftOut: readonly { node: string; reason: string; next?: string | undefined; isBusy?: boolean }[];
  slow: readonly SlowCard[];
  results: ResultFindings;
  proposals: readonly ProposedLine[];
  /** Lines that have to be written by hand, and why. */
  unedited: readonly { line: ProposedLine; reason: string }[];
  /** The unified diff of the inventory; undefined = nothing is proposed, or nothing can be edited. */
  diff?: string;
  /** The file that has it, and the command that applies it. */
  diffFile?: string;
  applyWith?: string;
  notes: readonly string[];
}

/** Returns the cards of all nodes. */
export function listCards(nodes: readonly NodeFindings[]): BenchedCard[] {
  return nodes.flatMap(({ cards }) => cards);
}

/** Returns each card without a result in some pass, and why. */
export function listFailures(nodes: readonly NodeFindings[]): { card: BenchedCard; reason: string }[] {
  return listCards(nodes).flatMap((card) => {
    const failed = card.passes.find(({ failure }) => failure !== undefined);
    return failed === undefined ? [] : [{ card, reason: failed.failure! }];
  });
}
