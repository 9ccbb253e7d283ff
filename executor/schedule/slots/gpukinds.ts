import { listGpuGroups } from "../../../fleet/gpus/gpugroups.js";
import type { GpuGroup, Node, Profile } from "../../../fleet/node.js";
import type { Slot } from "../events.js";

/** Returns the GPU slots among `slots`, a list for each kind of GPU, in the order of their first slots. */
export function splitByKind<S extends Pick<Slot, "gpu" | "card">>(slots: readonly S[]): S[][] {
  const kinds = new Map<string | undefined, S[]>();
  for (const slot of slots) {
    if (slot.gpu === undefined) continue;
    const known = kinds.get(slot.card?.kind);
    if (known === undefined) kinds.set(slot.card?.kind, [slot]);
    else known.push(slot);
  }
  return [...kinds.values()];
}

/** Returns how many GPU slots of one kind there are at most. */
export function countMostAlike(slots: readonly Pick<Slot, "gpu" | "card">[]): number {
  return splitByKind(slots).reduce((most, { length }) => Math.max(most, length), 0);
}

/** "2 GPUs", or "2 GPUs of one kind" where a node has `all` of several kinds. */
export function describeGpuCount(count: number, all: number): string {
  return `${count === 1 ? "1 GPU" : `${count} GPUs`}${count === all ? "" : " of one kind"}`;
}

/** Returns the kind of a slot's GPU; undefined = it is a CPU slot. */
export function findGroup(node: Node, { gpu, card }: Pick<Slot, "gpu" | "card">): GpuGroup | undefined {
  const groups = listGpuGroups(node);
  if (gpu === undefined) return undefined;
  return card === undefined ? groups[0] : groups.find(({ profile }) => profile.name === card.kind);
}

/** Returns the profile of the GPU of a slot, by the slot's number; undefined = it is a CPU slot. */
export function findSlotProfile(
  { node, slots }: { readonly node: Node; readonly slots: readonly Slot[] },
  number: number,
): Profile | undefined {
  const slot = slots.find((one) => one.slot === number);
  return slot && findGroup(node, slot)?.profile;
}
