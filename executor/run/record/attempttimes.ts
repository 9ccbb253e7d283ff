import type { Attempt } from "../../schedule/events.js";

/** What a slot runs, and since when: seconds since the session began. */
export interface RunningAttempt {
  attempt: Attempt;
  since: number;
}

/** Knows what each slot runs since when. A slot runs one attempt at a time, so its size does not grow with the run. */
export class AttemptTimes {
  private readonly slots = new Map<string, Map<number, RunningAttempt>>();

  start(attempt: Attempt, now: number): void {
    let slots = this.slots.get(attempt.node);
    if (slots === undefined) {
      slots = new Map();
      this.slots.set(attempt.node, slots);
    }
    slots.set(attempt.slot, { attempt, since: now });
  }

  /** Takes out what a slot runs, if it is the attempt that `isMeant` accepts. */
  endOnSlot(node: string, slot: number, isMeant: (attempt: Attempt) => boolean): RunningAttempt | undefined {
    const running = this.slots.get(node)?.get(slot);
    if (running === undefined || !isMeant(running.attempt)) return undefined;
    this.slots.get(node)!.delete(slot);
    return running;
  }

  /** Takes out the attempt of this id on this node; undefined if it does not run. Looks through all slots of the node. */
  endById(node: string, id: string): RunningAttempt | undefined {
    const found = [...(this.slots.get(node) ?? [])].find(([, running]) => running.attempt.id === id);
    if (found !== undefined) this.slots.get(node)!.delete(found[0]);
    return found?.[1];
  }

  /** Takes out all attempts on a node; without `node`, all attempts. */
  endAll(node?: string): RunningAttempt[] {
    const nodes = node === undefined ? [...this.slots.keys()] : [node];
    const ended = nodes.flatMap((name) => [...(this.slots.get(name)?.values() ?? [])]);
    for (const name of nodes) this.slots.delete(name);
    return ended;
  }
}
