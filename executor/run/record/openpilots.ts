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
  /** The nodes that pilots of the run are, or were, with the value of `-i` that finds their cluster. */
  readonly nodes = new Map<string, { node: string; inventory: string }>();
  private readonly byToken = new Map<string, OpenPilot>();

  /** Takes in a record of the journal. */
  apply({ cluster, inventory, token, id, state, at }: PilotEntry): void {
    const node = `${cluster}/${id}`;
    if (id !== undefined) this.nodes.set(JSON.stringify([inventory, node]), { node, inventory });
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

  /** The nodes of those that have run, and are not known to be over. */
  get openNodes(): { node: string; inventory: string }[] {
    return [...this.byToken.values()].flatMap(({ cluster, inventory, id, beganAtMs }) =>
      id === undefined || beganAtMs === undefined ? [] : [{ node: `${cluster}/${id}`, inventory }],
    );
  }

  get size(): number {
    return this.byToken.size;
  }

  [Symbol.iterator](): Iterator<OpenPilot> {
    return this.byToken.values();
  }
}
