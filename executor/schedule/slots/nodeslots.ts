import { type ListedGpu, listGpuGroups, listGpus, listProfiles } from "../../../fleet/gpus/gpugroups.js";
import { NO_PROFILE, type Node, type Profile } from "../../../fleet/node.js";
import { formatBytes, formatUnequalBytes } from "../../../schemas/bytecount.js";
import type { Chunk, JobRequirements } from "../../job/job.js";
import type { Slot } from "../events.js";
import { countMostAlike, describeGpuCount, findGroup, splitByKind } from "./gpukinds.js";
import { countSharers, type SharingNeeds } from "./gpushares.js";

/** The facts of a node that decide which slots it has. */
export interface MachineFacts {
  cores: number;
  /** Whether the cores are a guess, by which no node is refused. */
  isGuess?: boolean;
  /** The number of GPUs found, of its vendors. */
  gpus: number;
  /** Bytes of host memory; undefined = unknown. */
  memory?: number;
}

/** Whether one of some names, tags and globs selects a node. */
export type NodeMatcher = (node: Node, patterns: readonly string[]) => boolean;

/** Returns why a node gets no work of a job, from the inventory alone; undefined = it may. */
export function findNodeRefusal(node: Node, needs: JobRequirements, isSelected: NodeMatcher): string | undefined {
  if (needs.nodes !== undefined && !isSelected(node, needs.nodes)) return `needs.nodes does not name it`;
  const refusals = listProfiles(node).map((profile) => findProfileRefusal(profile, needs));
  return refusals.includes(undefined) ? undefined : [...new Set(refusals)].join("; ");
}

/** Returns why GPUs of a profile get no work of a job; undefined = they may. */
export function findProfileRefusal(profile: Profile, needs: JobRequirements): string | undefined {
  const { name, vendor, model, vram } = profile;
  if (needs.vendor !== undefined && needs.vendor !== "none" && vendor !== needs.vendor)
    return `needs.vendor is ${needs.vendor}, ${describeProfile(name, vendor === "none" ? undefined : vendor)}`;
  if (needs.model !== undefined && model !== needs.model) {
    const unknown = name === NO_PROFILE ? undefined : "of an unknown model";
    return `needs.model is ${needs.model}, ${describeProfile(name, model ?? unknown)}`;
  }
  if (needs.vram === undefined || (vram ?? 0) >= needs.vram) return undefined;
  return name === NO_PROFILE && vram === undefined
    ? `needs.vram is ${formatBytes(needs.vram)}, ${describeProfile(name, undefined)}`
    : describeShortage("needs.vram", needs.vram, name === NO_PROFILE ? "it" : `its profile ${name}`, vram);
}

/** Says what the inventory has of a node's GPUs. `what`: undefined = nothing. */
function describeProfile(name: string, what: string | undefined): string {
  if (name !== NO_PROFILE) return `its profile ${name} is ${what ?? "none"}`;
  return what === undefined ? "it has no profile" : `it has no profile, and its GPUs count as ${what}`;
}

/** `has`: bytes; undefined = the inventory does not say. */
function describeShortage(key: string, needed: number, who: string, has: number | undefined): string {
  if (has === undefined) return `${key} is ${formatBytes(needed)}, ${who} says nothing of it`;
  const [want, have] = formatUnequalBytes(needed, has);
  return `${key} is ${want}, ${who} has ${have}`;
}

/** Returns which facts of a node must be gathered before its slots are known; undefined = the inventory says enough. */
export function findUnknown(node: Node, needs: JobRequirements): "gpus" | "machine" | undefined {
  if (node.gpus === undefined && listGpuGroups(node).length > 0) return "gpus";
  const cores = node.slots === undefined && ((node.gpus ?? 0) === 0 || needs.gpus === 0);
  return cores || needs.memory !== undefined || needs.cores !== undefined ? "machine" : undefined;
}

/** The slots of a node that a job can use, or why there are none. */
export type SlotSelection =
  | { readonly ok: true; readonly slots: Slot[] }
  | { readonly ok: false; readonly reason: string };

/** Selects the slots of a node for a job, GPUs before CPU slots. */
export function selectSlots(node: Node, machine: MachineFacts, needs: JobRequirements): SlotSelection {
  if (needs.memory !== undefined && machine.memory !== undefined && machine.memory < needs.memory)
    return { ok: false, reason: describeShortage("needs.memory", needs.memory, "it", machine.memory) };
  if (needs.cores !== undefined && !machine.isGuess && machine.cores < needs.cores)
    return { ok: false, reason: `needs.cores is ${needs.cores}, it has ${machine.cores}` };
  const wanted = judgeSlots(node, machine, needs).flatMap(({ slot, reason }) => (reason === undefined ? [slot] : []));
  const { gpus = 0 } = needs;
  const most = countMostAlike(wanted);
  if (wanted.length > 0 && most < gpus)
    return { ok: false, reason: `needs.gpus is ${gpus}, it has ${describeGpuCount(most, wanted.length)}` };
  if (wanted.length > 0) return { ok: true, slots: wanted };
  return { ok: false, reason: `it has no ${takesGpu(needs) ? "GPU" : "CPU"} slot` };
}

/**
 * Returns every slot of a node: its GPUs, its CPU slots, then further ones that share its GPUs. A node with GPUs has as many CPU slots as
 * the inventory says; for a job that needs no GPU also one for each core that is not left to a GPU, and at least one.
 */
export function listAllSlots(
  node: Node,
  machine: MachineFacts,
  needs: Pick<JobRequirements, "gpus"> & SharingNeeds,
): Slot[] {
  const cpuOnly = listGpuGroups(node).length === 0;
  const gpus = node.gpus ?? (cpuOnly ? 0 : machine.gpus);
  const spare = needs.gpus === 0 ? Math.max(1, machine.cores - gpus) : 0;
  const cpus = node.slots ?? (cpuOnly && gpus === 0 ? machine.cores : spare);
  const cards = node.gpuGroups === undefined ? [] : listGpus(node.gpuGroups);
  const whole = Array.from({ length: gpus }, (_, gpu) => createGpuSlot(node, gpu, cards[gpu], needs));
  return [
    ...whole,
    ...Array.from({ length: cpus }, (_, cpu): Slot => {
      return { node: node.name, slot: gpus + cpu, cpu, rate: gpus > 0 ? undefined : node.profile.rate };
    }),
    ...listFurtherShares(whole, gpus + cpus),
  ];
}

/** Returns slots numbered from `start`: one for each share of a GPU beside the first, a second one of every GPU before the third of any. */
function listFurtherShares(gpuSlots: readonly Slot[], start: number): Slot[] {
  const most = gpuSlots.reduce((all, { sharers = 1 }) => Math.max(all, sharers), 1);
  const shares = Array.from({ length: most - 1 }, (_, share) =>
    gpuSlots.filter(({ sharers = 1 }) => sharers > share + 1),
  );
  return shares.flat().map((slot, index) => ({ ...slot, slot: start + index }));
}

/** `listed`: which GPU it is, on a node with several kinds. */
function createGpuSlot(node: Node, gpu: number, listed: ListedGpu | undefined, needs: SharingNeeds): Slot {
  const profile = listed?.group.profile ?? node.profile;
  const { vendor, name: kind, rate } = profile;
  const sharers = countSharers(profile, needs);
  const shared = sharers === 1 ? { rate } : { rate: rate && rate / sharers, sharers };
  const base = { node: node.name, slot: gpu, gpu, ...shared };
  return listed === undefined || vendor === "none" ? base : { ...base, card: { kind, vendor, device: listed.device } };
}

/** A slot of a node. `reason`: why it gets no work of a job; undefined = it may. */
interface JudgedSlot {
  readonly slot: Slot;
  readonly reason: string | undefined;
}

/** Returns every slot of a node, and why it gets no work of a job. */
export function judgeSlots(node: Node, machine: MachineFacts, needs: JobRequirements): JudgedSlot[] {
  const judged = listAllSlots(node, machine, needs).map((slot): JudgedSlot => {
    const profile = slot.card === undefined ? undefined : findGroup(node, slot)?.profile;
    return { slot, reason: findKindRefusal(needs, slot) ?? (profile && findProfileRefusal(profile, needs)) };
  });
  const fit = judged.flatMap(({ slot, reason }) => (reason === undefined ? [slot] : []));
  const { gpus = 0 } = needs;
  if (countMostAlike(fit) < gpus) return judged;
  const tooFew = splitByKind(fit).filter(({ length }) => length < gpus);
  return judged.map((one) => {
    const few = tooFew.find((slots) => slots.includes(one.slot));
    return few === undefined
      ? one
      : { ...one, reason: `needs.gpus is ${gpus}, it has ${few.length} of ${one.slot.card?.kind}` };
  });
}

/** Returns why a slot is of the wrong kind for a job; undefined = it is not. */
function findKindRefusal(needs: JobRequirements, slot: Slot): string | undefined {
  const isGpu = slot.gpu !== undefined;
  const wanted = takesGpu(needs);
  if (wanted === undefined || wanted === isGpu) return undefined;
  const need = needs.gpus === undefined ? `needs.vendor is ${needs.vendor}` : `needs.gpus is ${needs.gpus}`;
  return `${need}, and this is a ${isGpu ? "GPU" : "CPU"} slot`;
}

/** Whether chunks run on GPU slots only (true), on CPU slots only (false), or on both. */
function takesGpu({ gpus, vendor }: JobRequirements): boolean | undefined {
  if (gpus !== undefined) return gpus > 0;
  return vendor === undefined ? undefined : vendor !== "none";
}

/** Returns why a slot cannot run a chunk pinned to a GPU; undefined = it can. A CPU slot takes any chunk. */
export function findPinRefusal({ gpu }: Pick<Chunk, "gpu">, slot: Slot): string | undefined {
  if (gpu === undefined || slot.gpu === undefined || slot.gpu === gpu) return undefined;
  return `the chunk is pinned to gpu ${gpu}, and this is another one`;
}

/** Returns the environment that tells a program how much GPU memory it may use: its share of what may be used of a shared GPU. */
export function gpuMemoryEnvironment({ vram, memoryFraction }: Profile, slot: Slot): Record<string, string> {
  if (slot.gpu === undefined || vram === undefined || memoryFraction === undefined) return {};
  const share = memoryFraction / (slot.sharers ?? 1);
  return { MUSTER_GPU_MEMORY: `${Math.floor(vram * share)}`, MUSTER_GPU_MEMORY_FRACTION: `${share}` };
}
