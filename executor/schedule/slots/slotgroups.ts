import type { Chunk } from "../../job/job.js";
import { countMostAlike, splitByKind } from "./gpukinds.js";
import type { Pool } from "./pool.js";
import { isUsable, type ScheduledNode, type SlotState } from "./slotstate.js";

/** Returns how many slots a chunk needs at once: its GPUs, or the one slot that every other chunk takes. */
export function widthOf({ spec }: Pick<Chunk, "spec">): number {
  return spec.gpus ?? 1;
}

/** Finds slots for chunks that need several GPUs at once: idle ones of one node, whose GPUs are of one kind. */
export class SlotGroups {
  constructor(private readonly pool: Pool) {}

  /**
   * Returns the best idle slots for a chunk that needs `width` GPUs, in the order of their numbers; undefined = no node has that many
   * now. Costs as much as there are idle slots on nodes without enough of them.
   */
  findIdle(width: number, suits: (slot: SlotState) => boolean = () => true): SlotState[] | undefined {
    const tooSmall = new Set<ScheduledNode>();
    const first = this.pool.freeSlots.findBest(undefined, ({ home }) => {
      if (tooSmall.has(home)) return false;
      const isEnough = this.findIdleOn(home, width, suits) !== undefined;
      if (!isEnough) tooSmall.add(home);
      return isEnough;
    });
    return first && this.findIdleOn(first.home, width, suits);
  }

  private findIdleOn(
    { slots }: ScheduledNode,
    width: number,
    suits: (slot: SlotState) => boolean,
  ): SlotState[] | undefined {
    return findAlike(
      slots.filter((slot) => slot.load === 0 && this.pool.mayTakeWork(slot) && suits(slot)),
      width,
    );
  }
}

/** Returns `width` GPU slots of one kind, the fastest kind that has as many; undefined = none has. All are of one node. */
function findAlike(slots: readonly SlotState[], width: number): SlotState[] | undefined {
  const kinds = splitByKind(slots).filter(({ length }) => length >= width);
  const rateOf = ([first]: SlotState[]) => first?.rateEstimate.rate ?? 0;
  return kinds.sort((a, b) => rateOf(b) - rateOf(a))[0]?.slice(0, width);
}

/** Whether a node has `width` usable GPU slots of one kind beside `except`. */
export function hasGroup(pool: Pool, width: number, except: SlotState): boolean {
  return [...pool.nodes.values()].some(
    ({ slots }) => countMostAlike(slots.filter((slot) => slot !== except && isUsable(slot))) >= width,
  );
}
