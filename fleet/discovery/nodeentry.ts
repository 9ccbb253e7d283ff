import { formatFlowYaml } from "../../schemas/yamlflow.js";
import type { Facts } from "../facts.js";
import { type GpuKind, groupGpus } from "./gpukinds.js";
import { type HostRequest, isThisMachine } from "./hostrequest.js";

/** A machine, and what it said about itself or why it could not be asked. */
export type DiscoveredHost = { request: HostRequest } & ({ facts: Facts } | { reason: string });

/** A node as an inventory describes it. */
export interface InventoryEntry {
  name: string;
  keys: Readonly<Record<string, unknown>>;
  /** What its comments say. */
  comments: readonly string[];
  /** Whether nothing is known but how to reach it. */
  isUnasked: boolean;
}

const GIB = 2 ** 30;
const MIB = 2 ** 20;
/** A card reports a little less or more than what it is sold with. */
const VRAM_TOLERANCE = 0.05;

/** What RX 6600 cards (gfx1032) need under ROCm, whose libraries are built for gfx1030. */
const NAVI_23 = /\bRX 6[56]\d0\b/;
const NAVI_23_ENV = { HSA_OVERRIDE_GFX_VERSION: "10.3.0" };

/** Returns the lines of a profile, the first one without indentation. */
export function formatProfile(name: string, { vendor, model, vram }: GpuKind): string[] {
  const env = model !== undefined && NAVI_23.test(model) ? formatFlowYaml(NAVI_23_ENV) : undefined;
  return [
    `${name}:`,
    `  vendor: ${vendor}`,
    ...(model === undefined ? [] : [`  model: ${formatFlowYaml(model)}`]),
    ...(vram === undefined ? [] : [`  vram: ${formatVram(vram)}`]),
    ...(env === undefined ? [] : [`  env: ${env}   # ROCm's libraries are built for gfx1030`]),
    "  # rate: 5000              # units a second of one GPU: a first estimate, until muster has measured it",
  ];
}

/** Describes a machine as a node, and adds its kinds of GPU to `kinds`, by the name of their profiles, where they are not there. */
export function describeNode(name: string, host: DiscoveredHost, kinds: Map<string, GpuKind>): InventoryEntry {
  const { request } = host;
  const { maxConcurrent, identityFile } = request;
  const reach = {
    ...(isThisMachine(request) ? { connection: "local" } : request.host === name ? {} : { host: request.host }),
    ...pickDefined(request, ["user", "port", "python"]),
    ...(identityFile === undefined ? {} : { identity_file: identityFile }),
    ...(maxConcurrent === undefined ? {} : { max_concurrent: maxConcurrent }),
  };
  if ("reason" in host)
    return { name, keys: reach, comments: [`It could not be asked: ${host.reason}`], isUnasked: true };
  const { facts } = host;
  const cards = facts.gpus.filter(({ integrated }) => integrated !== true);
  const [own, left] = selectKinds(groupGpus(cards.length > 0 ? cards : facts.gpus));
  const about = `${formatVram(facts.memory.total)} of memory, ${facts.cores} cores, Python ${facts.python}`;
  const slots =
    own.length === 0 ? [`A node without GPUs: one slot for each of its ${facts.cores} cores (slots: N).`] : [];
  const unused = left.map(
    ({ model, gpus }) => `Not used: ${gpus.length} × ${model ?? "an unknown GPU"}; their PCI addresses are not known.`,
  );
  const keys = { ...reach, ...describeGpus(own, kinds) };
  return { name, keys, comments: [about, ...slots, ...unused], isUnasked: false };
}

/** Returns the lines of a node, the first one without indentation. */
export function formatNode({ name, keys, comments, isUnasked }: InventoryEntry): string[] {
  const notes = comments.map((comment) => `  # ${comment}`);
  if (isUnasked) return [`${name}: ${formatFlowYaml(keys)}`, ...notes];
  const lines = Object.entries(keys).map(([key, value]) => `  ${key}: ${formatFlowYaml(value)}`);
  return [`${name}:${lines.length === 0 ? " {}" : ""}`, ...lines, ...notes];
}

/** Splits kinds into those that an inventory can describe, and others: it tells kinds of one vendor apart by PCI addresses. */
function selectKinds(kinds: readonly GpuKind[]): [usable: GpuKind[], left: GpuKind[]] {
  const hasAddresses = (vendor: GpuKind["vendor"]) =>
    kinds.every((kind) => kind.vendor !== vendor || kind.gpus.every(({ pci }) => pci !== null));
  const isFirst = (kind: GpuKind) => kinds.find(({ vendor }) => vendor === kind.vendor) === kind;
  const usable = kinds.filter((kind) => isFirst(kind) || hasAddresses(kind.vendor));
  return [usable, kinds.filter((kind) => !usable.includes(kind))];
}

/** Returns the keys of a node with GPUs of one kind, or of several. */
function describeGpus(own: readonly GpuKind[], kinds: Map<string, GpuKind>): Record<string, unknown> {
  const groups = own.map((kind) => {
    const pci = kind.gpus.map((gpu) => gpu.pci);
    return { profile: nameProfile(kind, kinds), count: pci.length, ...(pci.includes(null) ? {} : { pci }) };
  });
  const [first, ...others] = groups;
  if (first === undefined) return {};
  if (others.length > 0) return { gpus: groups };
  const { profile, count, pci } = first;
  return { profile, gpus: count, ...(pci === undefined ? {} : { pci }) };
}

/** Returns the profile of a kind, which nodes with the same model and size of memory share. */
function nameProfile(kind: GpuKind, kinds: Map<string, GpuKind>): string {
  const base = (kind.model ?? kind.vendor).toLowerCase().replace(/[^a-z0-9]/g, "") || kind.vendor;
  const isSame = (one: GpuKind) => one.vendor === kind.vendor && one.model === kind.model && haveSameVram(one, kind);
  const same = [...kinds].find(([, one]) => isSame(one));
  if (same !== undefined) return same[0];
  let name = base;
  for (let count = 2; kinds.has(name); count++) name = `${base}-${count}`;
  kinds.set(name, kind);
  return name;
}

function haveSameVram(one: GpuKind, other: GpuKind): boolean {
  return formatVram(one.vram ?? 0) === formatVram(other.vram ?? 0);
}

/** Bytes as the inventory has them: whole GiB where that is nearly right. */
function formatVram(bytes: number): string {
  const gib = Math.round(bytes / GIB);
  return Math.abs(bytes / GIB - gib) < VRAM_TOLERANCE * gib ? `${gib}GiB` : `${Math.round(bytes / MIB)}MiB`;
}

function pickDefined<T extends object, K extends keyof T>(value: T, keys: readonly K[]): Partial<Pick<T, K>> {
  const found = keys.filter((key) => value[key] !== undefined).map((key) => [key, value[key]]);
  return Object.fromEntries(found) as Partial<Pick<T, K>>;
}
