import { bindGpu } from "../../../fleet/gpus/gpubinding.js";
import { expectGpus, gpuLockName, listVendors } from "../../../fleet/gpus/gpugroups.js";
import type { Node } from "../../../fleet/node.js";
import type { Slot } from "../../schedule/events.js";
import type { NodeCapacity } from "../../schedule/slots/capacity.js";
import { findGroup } from "../../schedule/slots/gpukinds.js";
import { gpuMemoryEnvironment } from "../../schedule/slots/nodeslots.js";
import type { KnownCards, OpenCommand, SlotSetup } from "../agent/protocol.js";
import { MAX_LOG_BYTES } from "../record/rundir.js";
import type { RunContext } from "../runcontext.js";
import { describeSampling } from "./samplesettings.js";
import { FIRST_CHECK_TIMEOUT_SECONDS, hasGpusToCheck } from "./slotmonitor.js";

/** Outputs and logs up to this size are sent over the agent's channel, with their manifest. */
const MAX_INLINE_BYTES = 16 << 10;
/** How often an agent tells how far its attempts are, at most. */
const PROGRESS_INTERVAL_SECONDS = 3;

/** Returns the command with which a coordinator introduces itself to an agent. `cards`: what is known of the node's GPUs. */
export function buildOpenCommand(
  node: Node,
  run: RunContext,
  { slots, limit }: NodeCapacity,
  cards: KnownCards[],
): OpenCommand {
  return {
    op: "open",
    run: run.name,
    nonce: run.nonce,
    nonces: run.nonces,
    lease: node.leaseSeconds,
    max: limit,
    priority: run.priority,
    env: node.env,
    slots: slots.map((slot) => ({
      slot: slot.slot,
      ...describeGpu(node, slot),
      lock: lockName(node, slot),
    })),
    ...describeCards(node, slots, cards),
    progress: PROGRESS_INTERVAL_SECONDS,
    samples: describeSampling(node),
    inline: MAX_INLINE_BYTES,
    log: MAX_LOG_BYTES,
    cache: node.cacheBytes,
  };
}

/** Returns the GPU of a slot, its binding, and what it adds to the environment of the node. A chunk sees no GPU of another vendor. */
function describeGpu(node: Node, slot: Slot): Omit<SlotSetup, "slot" | "lock"> {
  const profile = findGroup(node, slot)?.profile;
  const gpu = slot.card?.device ?? slot.gpu;
  const device = gpu === undefined ? undefined : (node.allocation?.devices?.[gpu] ?? gpu);
  const bindings = listVendors(node).map((one) => bindGpu(one, profile?.vendor === one ? device : undefined));
  const memory = profile === undefined ? {} : gpuMemoryEnvironment(profile, slot);
  return {
    env: { ...Object.assign({}, ...bindings), ...memory },
    ...(slot.card === undefined ? {} : { defaults: findGroup(node, slot)?.env }),
    gpu,
    ...(profile === undefined || profile.vendor === "none" ? {} : { vendor: profile.vendor }),
  };
}

/**
 * Returns the name of a slot's lock between runs. The CPU slots of a machine are numbered apart from its GPUs, and so are those of each
 * vendor where it has GPUs of two.
 */
function lockName(node: Node, { gpu, cpu, card }: Slot): string | undefined {
  // Slurm gives a GPU or core to one allocation, and several of a run may be on one machine.
  if (node.allocation !== undefined) return undefined;
  if (gpu === undefined) return cpu === undefined ? undefined : `cpu-${cpu}`;
  if (card === undefined) return `${gpu}`;
  return gpuLockName(node, card.vendor, card.device);
}

function describeCards(node: Node, slots: Slot[], cards: KnownCards[]): Pick<OpenCommand, "cards" | "examine"> {
  if (listVendors(node).length === 0 || slots.every(({ gpu }) => gpu === undefined)) return {};
  const expected = expectGpus(node).map(({ vendor, addresses }) => ({ vendor, pci: addresses }));
  if (node.allocation === undefined)
    return {
      cards: cards.length > 0 ? cards : expected,
      examine: hasGpusToCheck(node, slots) ? FIRST_CHECK_TIMEOUT_SECONDS : undefined,
    };
  // Where the addresses are not known, the agent would take all cards of the machine.
  return node.pci === undefined ? {} : { cards: expected.map((one) => ({ ...one, bound: true })) };
}
