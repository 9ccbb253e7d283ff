import type { Instruction } from "../events.js";
import type { InFlightAttempt, InFlightAttempts, Recomputation } from "./inflight.js";

/**
 * Decides between a running chunk and its pieces. Results of pieces are held until all of them are here: then they are committed, and the
 * original is dropped. If the original ends first, or a piece is lost, the pieces are dropped. If the original is lost, the pieces become
 * chunks like any other. At any time either the original or its pieces are committed, never both.
 */
export class Recomputations {
  constructor(private readonly attempts: InFlightAttempts) {}

  /** Links attempts that have just started to the one whose units they compute. */
  start(original: InFlightAttempt, pieces: readonly InFlightAttempt[]): void {
    const recomputation = { original, pieces };
    original.recomputation = recomputation;
    original.recomputationCount++;
    for (const piece of pieces) piece.recomputation = recomputation;
  }

  /** Notes that the result of a piece was collected and is held. Commits all pieces once the last one is here. */
  hold(id: string): Instruction[] {
    const piece = this.attempts.get(id);
    if (piece?.recomputation === undefined || !this.attempts.startHolding(id)) return [];
    const { original, pieces } = piece.recomputation;
    if (pieces.some(({ phase }) => phase !== "held")) return [];
    const out = this.promotePieces(original);
    this.attempts.release(original.attempt.id);
    return [{ do: "drop", node: original.attempt.node, id: original.attempt.id }, ...out];
  }

  /** Drops the pieces of an attempt, if there are any: it has a result, or other bounds. */
  dropPieces(original: InFlightAttempt): Instruction[] {
    const { recomputation } = original;
    if (recomputation?.original !== original) return [];
    unlink(recomputation);
    return recomputation.pieces.flatMap((piece): Instruction[] => {
      const { id, node } = piece.attempt;
      piece.isSuperseded = true;
      return this.attempts.release(id) === undefined ? [] : [{ do: "drop", node, id }];
    });
  }

  /**
   * Handles an attempt that left without a result. Returns what follows if its units are in other hands; undefined if they have to be
   * computed again.
   */
  leave(inFlight: InFlightAttempt): Instruction[] | undefined {
    const { recomputation, speculativeCopy, isSuperseded } = inFlight;
    if (recomputation?.original === inFlight) {
      bequeath(inFlight, recomputation.pieces);
      return this.promotePieces(inFlight);
    }
    if (recomputation !== undefined) {
      bequeath(inFlight, [recomputation.original]);
      return this.dropPieces(recomputation.original);
    }
    return speculativeCopy !== undefined || isSuperseded ? [] : undefined;
  }

  /** Makes the pieces chunks like any other, and commits the results that are held. */
  private promotePieces({ recomputation }: InFlightAttempt): Instruction[] {
    unlink(recomputation!);
    return recomputation!.pieces.flatMap(({ attempt: { id } }): Instruction[] =>
      this.attempts.stopHolding(id) ? [{ do: "commit", id }] : [],
    );
  }
}

/** What is to become of the result of an attempt that was collected: it is kept until its fate is decided, or is not needed. */
export type ResultFate = "commit" | "hold" | "discard";

/** Returns what is to become of the result of an attempt; `inFlight`: the attempt, undefined = it is not in flight any more. */
export function decideFate(inFlight: InFlightAttempt | undefined): ResultFate {
  if (inFlight === undefined) return "discard";
  const { recomputation } = inFlight;
  return recomputation === undefined || recomputation.original === inFlight ? "commit" : "hold";
}

/** Counts the failures of an attempt for those that get its units, so that a chunk that kills agents is not tried too often. */
function bequeath(inFlight: InFlightAttempt, heirs: readonly InFlightAttempt[]): void {
  inFlight.heirs = heirs;
  for (const { history } of heirs) history.push(...inFlight.history);
}

function unlink({ original, pieces }: Recomputation): void {
  for (const one of [original, ...pieces]) one.recomputation = undefined;
}
