import type { Failure } from "../../schedule/events.js";
import type { Member } from "../node/member.js";
import type { RunDirectory } from "./rundir.js";

/** Characters of a reason that are kept: what a chunk said itself is in logs/. */
const REASON = 300;

/**
 * Writes down what happens in a run beside its results, for reports. No run goes on from it, so it is on disk when the next result
 * is, and no sooner.
 */
export class Chronicle {
  constructor(private readonly directory: Pick<RunDirectory, "journal" | "elapsed">) {}

  /** A node's state has changed. */
  node({ node, state, slots, reason }: Pick<Member, "node" | "state" | "slots" | "reason">): void {
    const there = state === "live" ? slots.map((one) => one.slot) : undefined;
    const { journal, elapsed } = this.directory;
    journal.add({ e: "node", at: elapsed(), node: node.name, state, slots: there, reason: reason?.slice(0, REASON) });
  }

  /** A slot gets no work, `out` being why; undefined: it gets some again. */
  slot(node: string, slot: number, out: string | undefined): void {
    const { journal, elapsed } = this.directory;
    journal.add({ e: "slot", at: elapsed(), node, slot, out: out?.slice(0, REASON) });
  }

  /** An attempt failed; its chunk may be tried again. */
  tried({ chunk, node, slot, attempt, reason }: Failure): void {
    const { journal, elapsed } = this.directory;
    journal.add({ e: "tried", at: elapsed(), chunk, node, slot, attempt, reason: reason.slice(0, REASON) });
  }
}
