import { isIP } from "node:net";
import { formatFlowYaml } from "../../schemas/yamlflow.js";
import type { Facts } from "../facts.js";
import { type GpuKind, groupGpus } from "./gpukinds.js";
import { type HostRequest, isThisMachine } from "./hostrequest.js";

/** A machine, and what it said about itself or why it could not be asked. */
export type DiscoveredHost = { request: HostRequest } & ({ facts: Facts } | { reason: string });

const GIB = 2 ** 30;
const MIB = 2 ** 20;
/** A card reports a little less or more than what it is sold with. */
const VRAM_TOLERANCE = 0.05;
const MAX_NAME_CHARS = 100;

/** What RX 6600 cards (gfx1032) need under ROCm, whose libraries are built for gfx1030. */
const NAVI_23 = /\bRX 6[56]\d0\b/;
const NAVI_23_ENV = { HSA_OVERRIDE_GFX_VERSION: "10.3.0" };

/**
 * Returns an inventory with these machines: the profile of each kind of GPU, and each node with its GPUs' PCI addresses. `schema`: the
 * path of the inventory's schema, for editors. `command`: what wrote it. A machine that could not be asked has no profile.
 */
export function formatInventoryDraft(hosts: readonly DiscoveredHost[], schema: string, command: string): string {
  const names = nameHosts(hosts);
  const kinds = new Map<string, GpuKind>();
  const nodes = hosts.flatMap((host, index) => formatNode(names[index]!, host, kinds));
  return [
    `# yaml-language-server: $schema=${schema}`,
    "# The machines that muster uses. docs/reference.md has every key.",
    `# Written by \`${command.replace(/[\p{C}\u2028\u2029]/gu, " ")}\` from what each machine says about itself.`,
    "# See what is there now: muster nodes. Find out why a machine cannot be used: muster doctor.",
    "",
    "defaults:",
    "  host_keys: strict           # a key that known_hosts does not have is refused; accept-new records it once",
    "  grace: 60s                  # how long a node may be silent before its chunks go to others",
    ...(kinds.size === 0 ? [] : ["", "profiles:", ...[...kinds].flatMap(([name, kind]) => formatProfile(name, kind))]),
    "",
    "nodes:",
    ...nodes,
    "",
    "# What `muster provision` and `muster verify` look at where none is named.",
    `playbooks: [${kinds.size === 0 ? "python" : "python, gpu"}]`,
    "",
  ].join("\n");
}

/** Returns a name for each machine: its alias, or what it calls itself where it is reached at an address. */
function nameHosts(hosts: readonly DiscoveredHost[]): string[] {
  const taken = new Set<string>();
  return hosts.map((host) => {
    const { request } = host;
    const own = "facts" in host ? host.facts.hostname.split(".")[0]! : "";
    const wanted = own !== "" && (isThisMachine(request) || isIP(request.host) !== 0) ? own : request.host;
    const base =
      wanted
        .replace(/[^A-Za-z0-9_.-]/g, "-")
        .replace(/^[.-]+/, "")
        .slice(0, MAX_NAME_CHARS - 4) || "node";
    let name = base;
    for (let count = 2; taken.has(name); count++) name = `${base}-${count}`;
    taken.add(name);
    return name;
  });
}

function formatProfile(name: string, { vendor, model, vram }: GpuKind): string[] {
  const env = model !== undefined && NAVI_23.test(model) ? formatFlowYaml(NAVI_23_ENV) : undefined;
  return [
    `  ${name}:`,
    `    vendor: ${vendor}`,
    ...(model === undefined ? [] : [`    model: ${formatFlowYaml(model)}`]),
    ...(vram === undefined ? [] : [`    vram: ${formatVram(vram)}`]),
    ...(env === undefined ? [] : [`    env: ${env}   # ROCm's libraries are built for gfx1030`]),
    "    # rate: 5000              # units a second of one GPU: a first estimate, until muster has measured it",
  ];
}

/** Returns the lines of a node, and adds its kind of GPU to `kinds`, by the name of its profile. */
function formatNode(name: string, host: DiscoveredHost, kinds: Map<string, GpuKind>): string[] {
  const { request } = host;
  const reach = {
    ...(isThisMachine(request) ? { connection: "local" } : request.host === name ? {} : { host: request.host }),
    ...pickDefined(request, ["user", "port", "python"]),
    ...(request.maxConcurrent === undefined ? {} : { max_concurrent: request.maxConcurrent }),
  };
  if ("reason" in host) return [`  ${name}: ${formatFlowYaml(reach)}`, `    # It could not be asked: ${host.reason}`];
  const { facts } = host;
  const cards = facts.gpus.filter(({ integrated }) => integrated !== true);
  const [own, left] = selectKinds(groupGpus(cards.length > 0 ? cards : facts.gpus));
  const lines = Object.entries({ ...reach, ...describeGpus(own, kinds) }).map(
    ([key, value]) => `    ${key}: ${formatFlowYaml(value)}`,
  );
  const about = `    # ${formatVram(facts.memory.total)} of memory, ${facts.cores} cores, Python ${facts.python}`;
  const slots =
    own.length === 0 ? [`    # A node without GPUs: one slot for each of its ${facts.cores} cores (slots: N).`] : [];
  const unused = left.map(
    ({ model, gpus }) =>
      `    # Not used: ${gpus.length} × ${model ?? "an unknown GPU"}; their PCI addresses are not known.`,
  );
  return [`  ${name}:${lines.length === 0 ? " {}" : ""}`, ...lines, about, ...slots, ...unused];
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
  let name = base;
  for (let count = 2; kinds.has(name) && !isSame(kinds.get(name)!); count++) name = `${base}-${count}`;
  if (!kinds.has(name)) kinds.set(name, kind);
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
