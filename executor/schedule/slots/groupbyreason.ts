/** A slot that gets no work, and why. */
export interface RefusedSlot {
  node: string;
  slot: number;
  reason: string;
}

/** Slots of one node that get no work for the same reason. */
export interface RefusedGroup {
  node: string;
  slots: number[];
  reason: string;
}

/** Groups slots by node and reason, in the order of their first occurrence. */
export function groupByReason(refused: RefusedSlot[]): RefusedGroup[] {
  const folds = new Map<string, RefusedGroup>();
  for (const { node, slot, reason } of refused) {
    const key = `${node}\n${reason}`;
    const fold = folds.get(key);
    if (fold === undefined) folds.set(key, { node, slots: [slot], reason });
    else fold.slots.push(slot);
  }
  return [...folds.values()];
}

/** Formats slot numbers, which must ascend: `slot 3`, `slots 0-3, 7`. */
export function formatSlots(slots: readonly number[]): string {
  const spans: [from: number, to: number][] = [];
  for (const slot of slots) {
    const last = spans.at(-1);
    if (last?.[1] === slot - 1) last[1] = slot;
    else spans.push([slot, slot]);
  }
  const texts = spans.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return `${slots.length === 1 ? "slot" : "slots"} ${texts.join(", ")}`;
}
