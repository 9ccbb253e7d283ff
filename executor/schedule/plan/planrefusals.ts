import type { Node } from "../../../fleet/node.js";
import type { Job } from "../../job/job.js";
import type { Slot } from "../events.js";
import { formatSlots, groupByReason } from "../slots/groupbyreason.js";
import { findKindRefusal, findPinRefusal, listAllSlots, type MachineFacts } from "../slots/nodeslots.js";

/** Slots of a node that get no work of a job, and why. */
export interface SlotRefusal {
  slots: number[];
  reason: string;
}

/** Tasks pinned to a GPU that no slot has: they will be given up. `reasons`: one line for each node and reason. */
export interface UnplaceableTasks {
  gpu: number;
  chunks: string[];
  reasons: string[];
}

/** Returns the slots of a node that get no work: all of them if the node is `refused`, else those of the wrong kind. */
export function listSlotRefusals(
  node: Node,
  machine: MachineFacts,
  job: Job,
  refused: string | undefined,
): SlotRefusal[] {
  const each = listAllSlots(node, machine, job.needs).flatMap((slot) => {
    const reason = refused ?? findKindRefusal(job.needs, slot);
    return reason === undefined ? [] : [{ node: slot.node, slot: slot.slot, reason }];
  });
  return groupByReason(each).map(({ slots, reason }) => ({ slots, reason }));
}

/** Returns the pinned tasks that none of `slots` can run. */
export function findUnplaceable(job: Job, slots: Slot[]): UnplaceableTasks[] {
  if (job.kind !== "tasks") return [];
  const byPin = new Map<number, string[]>();
  for (let unit = job.first; unit < job.first + job.units; unit++) {
    const { id, gpu } = job.chunk(unit, unit + 1n);
    if (gpu === undefined) continue;
    const others = byPin.get(gpu);
    if (others === undefined) byPin.set(gpu, [id]);
    else others.push(id);
  }
  return [...byPin].flatMap(([gpu, chunks]) => {
    const each = slots.map((slot) => ({ node: slot.node, slot: slot.slot, reason: findPinRefusal({ gpu }, slot) }));
    const refused = each.flatMap((one) => (one.reason === undefined ? [] : [{ ...one, reason: one.reason }]));
    if (refused.length < each.length) return [];
    const reasons = groupByReason(refused).map((fold) => `${fold.node} ${formatSlots(fold.slots)}: ${fold.reason}`);
    return [{ gpu, chunks, reasons }];
  });
}
