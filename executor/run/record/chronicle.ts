import type { Failure } from "../../schedule/events.js";
import type { Member } from "../node/member.js";
import type { Entry } from "./journal.js";
import type { RunDirectory } from "./rundir.js";

/** Bytes of records about one node and its slots: one that comes and goes without end fills no disk. */
const NODE_BYTES = 1 << 20;
/** Characters of a reason that are kept: what a chunk said itself is in logs/. */
const REASON = 300;

/**
 * Writes down what happens in a run beside its results, for reports. No run goes on from it, so it is on disk when the next result
 * is, and no sooner.
 */
export class Chronicle {
  private readonly bytes = new Map<string, number>();

  constructor(private readonly directory: Pick<RunDirectory, "journal" | "elapsed">) {}

  /** A node's state has changed. */
  node({ node, state, slots, reason }: Pick<Member, "node" | "state" | "slots" | "reason">): void {
    const there = state === "live" ? slots.map((one) => one.slot) : undefined;
    const at = this.directory.elapsed();
    this.add(node.name, { e: "node", at, node: node.name, state, slots: there, reason: reason?.slice(0, REASON) });
  }

  /** A slot gets no work, `out` being why; undefined: it gets some again. */
  slot(node: string, slot: number, out: string | undefined): void {
    this.add(node, { e: "slot", at: this.directory.elapsed(), node, slot, out: out?.slice(0, REASON) });
  }

  private add(node: string, entry: Extract<Entry, { e: "node" | "slot" }>): void {
    const bytes = (this.bytes.get(node) ?? 0) + JSON.stringify(entry).length;
    this.bytes.set(node, bytes);
    if (bytes <= NODE_BYTES) this.directory.journal.add(entry);
  }

  /** An attempt failed; its chunk may be tried again. */
  tried({ chunk, node, slot, attempt, reason }: Failure): void {
    const { journal, elapsed } = this.directory;
    journal.add({ e: "tried", at: elapsed(), chunk, node, slot, attempt, reason: reason.slice(0, REASON) });
  }
}
