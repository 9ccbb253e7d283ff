import type { Node } from "../../../fleet/node.js";
import type { Job } from "../../job/job.js";
import type { Slot } from "../events.js";
import { countMostAlike, describeGpuCount } from "../slots/gpukinds.js";
import { formatSlots, groupByReason } from "../slots/groupbyreason.js";
import { findPinRefusal, judgeSlots, type MachineFacts } from "../slots/nodeslots.js";
import { widthOf } from "../slots/slotgroups.js";

/** Slots of a node that get no work of a job, and why. */
export interface SlotRefusal {
  slots: number[];
  reason: string;
}

/**
 * Tasks pinned to a GPU that no slot has, or that need more GPUs than any node has: they will be given up. `reasons`: one line for each
 * node and reason.
 */
export interface UnplaceableTasks {
  /** The index of the GPU. */
  gpu?: number;
  /** How many GPUs they need. */
  gpus?: number;
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
  const each = judgeSlots(node, machine, job.needs).flatMap(({ slot, reason: own }) => {
    const reason = refused ?? own;
    return reason === undefined ? [] : [{ node: slot.node, slot: slot.slot, reason }];
  });
  return groupByReason(each).map(({ slots, reason }) => ({ slots, reason }));
}

/** Returns the tasks that none of `slots` can run. */
export function findUnplaceable(job: Job, slots: Slot[]): UnplaceableTasks[] {
  return job.kind === "tasks" ? [...findTooWide(job, slots), ...findMispinned(job, slots)] : [];
}

function findTooWide(job: Job, slots: Slot[]): UnplaceableTasks[] {
  if (job.gpuCounts === undefined) return [];
  const available = [...new Set(slots.map(({ node }) => node))].map((node) => {
    const own = slots.filter((slot) => slot.node === node && slot.gpu !== undefined);
    return { node, most: countMostAlike(own), all: own.length };
  });
  const most = Math.max(0, ...available.map((one) => one.most));
  const byWidth = new Map<number, string[]>();
  for (let unit = job.first; unit < job.first + job.units; unit++) {
    const chunk = job.chunk(unit, unit + 1n);
    const width = widthOf(chunk);
    if (width === 1 || width <= most) continue;
    const others = byWidth.get(width);
    if (others === undefined) byWidth.set(width, [chunk.id]);
    else others.push(chunk.id);
  }
  const reasons = available.map((one) => `${one.node}: it has ${describeGpuCount(one.most, one.all)}`);
  return [...byWidth].map(([gpus, chunks]) => ({ gpus, chunks, reasons }));
}

function findMispinned(job: Job, slots: Slot[]): UnplaceableTasks[] {
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
