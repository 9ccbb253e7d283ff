import type { Facts } from "../../../fleet/facts.js";
import { listVendors } from "../../../fleet/gpus/gpugroups.js";
import type { Node } from "../../../fleet/node.js";
import { MusterError } from "../../../schemas/errors.js";
import type { JobRequirements } from "../../job/job.js";
import { findConcurrencyLimit, type NodeCapacity } from "../../schedule/slots/capacity.js";
import { selectSlots } from "../../schedule/slots/nodeslots.js";

/** Selects the slots of a node that fit a job's requirements. Throws NO_SLOTS where there are none. */
export function selectNodeSlots(node: Node, facts: Facts | undefined, needs: JobRequirements): NodeCapacity {
  const vendors: readonly string[] = listVendors(node);
  const gpus = facts?.gpus.filter(({ vendor }) => vendors.includes(vendor)).length ?? 0;
  const selection = selectSlots(node, { cores: facts?.cores ?? 0, gpus, memory: facts?.memory.total }, needs);
  if (!selection.ok) throw new MusterError("NO_SLOTS", selection.reason);
  const { slots } = selection;
  return { slots, limit: findConcurrencyLimit(node, slots.length, needs, facts?.cores) };
}
