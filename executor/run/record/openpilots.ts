import type { JournalEntry } from "./journalentry.js";

type PilotEntry = Extract<JournalEntry, { e: "pilot" }>;

/** A pilot that may exist, as the journal tells. */
export interface OpenPilot {
  cluster: string;
  /** The value of `-i` that finds the cluster. */
  inventory: string;
  token: string;
  /** undefined = the reply to its submission was not journaled. */
  id?: string;
  /** When it was first seen running (Unix time in ms). */
  beganAtMs?: number;
}

/** The pilots of a run that were submitted, or about to be, and are not known to be over. */
export class OpenPilots implements Iterable<OpenPilot> {
  private readonly byToken = new Map<string, OpenPilot>();

  /** Takes in a record of the journal. */
  apply({ cluster, inventory, token, id, state, at }: PilotEntry): void {
    if (state === "over") {
      this.byToken.delete(token);
      return;
    }
    const known = this.byToken.get(token);
    this.byToken.set(token, {
      ...known,
      cluster,
      inventory,
      token,
      ...(id === undefined ? {} : { id }),
      ...(state === "running" ? { beganAtMs: known?.beganAtMs ?? Date.parse(at) } : {}),
    });
  }

  get size(): number {
    return this.byToken.size;
  }

  [Symbol.iterator](): Iterator<OpenPilot> {
    return this.byToken.values();
  }
}
