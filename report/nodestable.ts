import type { NodeFacts } from "../fleet/allfacts.js";
import { describeDrain } from "../fleet/drains.js";
import type { Facts, Gpu } from "../fleet/facts.js";
import { expectGpus, findGpuIndex } from "../fleet/gpus/gpugroups.js";
import type { GpuHealth } from "../fleet/gpus/gpuhealth.js";
import type { Node } from "../fleet/node.js";
import { MAX_CLOCK_OFFSET_SECONDS } from "../playbooks/host.js";
import type { MusterError } from "../schemas/errors.js";
import { countColumns, padToColumns } from "./columns.js";
import { formatBytes, formatDuration, indentLines, pluralize, toOneLine, toPrintableText } from "./format.js";
import { formatTable, type ResultTable } from "./resulttable.js";

/** Returns the table of `muster nodes`: a row for each of these nodes with details below it. `now` is Unix time in seconds. */
export function createNodesTable(
  names: readonly string[],
  detail: "usual" | "all",
  now: number,
): ResultTable<NodeFacts> {
  const widest = Math.max(4, ...names.map((name) => countColumns(toOneLine(name))));
  return {
    head: formatRow(widest, ["node", "gpus", "memory", "disk free", "python", "up"]),
    listRows: (looks) => looks.flatMap((look) => formatNodeBlock(look, widest, detail, now)),
    listTotal: (looks) => [formatTotal(looks)],
  };
}

/** Returns that table with the rows of all nodes. */
export function formatNodesTable(looks: readonly NodeFacts[], detail: "usual" | "all", now: number): string {
  const names = looks.map(({ node }) => node.name);
  return formatTable(createNodesTable(names, detail, now), looks);
}

/** Returns the unusable nodes with the reason and the next action; "" where there are none. */
export function formatUnusableNodes(looks: NodeFacts[]): string {
  return toPrintableText(
    looks.flatMap((look) => ("error" in look ? [look.node.name, ...formatError(look.error, look.node.name)] : [])),
  );
}

/** Returns a line about a node, for progress. */
export function formatNodeLine(look: NodeFacts): string {
  const { name } = look.node;
  if ("error" in look) return toPrintableText([`${name}: ${look.error.textFor(name)}`]);
  const { gpus, memory } = look.facts;
  return toPrintableText([`${name}: ${pluralize(gpus.length, "GPU")}, ${formatBytes(memory.total)} memory`]);
}

/** Returns the result as one JSON document. */
export function buildNodesDocument(looks: NodeFacts[]) {
  const nodes = looks.map((look) => {
    const { name, host, connection, profile, tags, drain } = look.node;
    const base = { node: name, host, connection, profile: profile.name, tags, drain: drain ?? null };
    if (!("error" in look))
      return { ...base, usable: true, hostKey: look.hostKey ?? null, ...look.facts, gpuHealth: toHealthRecord(look) };
    const { code, message, next } = look.error;
    return { ...base, usable: false, code, reason: message, next: next ?? null };
  });
  return { nodes, usable: nodes.filter((one) => one.usable).length };
}

/** `sick`: the reason by the index of the GPU's slot. null: the node's profile has no GPUs. */
function toHealthRecord({ node, gpuHealth }: { node: Node; gpuHealth: readonly GpuHealth[] }) {
  if (gpuHealth.length === 0) return null;
  const sick = gpuHealth.flatMap(({ vendor, sick }) =>
    [...sick].map(([device, reason]) => [findGpuIndex(node, vendor, device), reason] as const),
  );
  const errors = gpuHealth.flatMap(({ toolError, missingTool }) => toolError ?? missingTool ?? []);
  return {
    sick: Object.fromEntries(sick),
    toolError: errors.length === 0 ? null : errors.join("; "),
    notes: gpuHealth.flatMap(({ notes }) => notes),
  };
}

function formatNodeBlock(look: NodeFacts, widest: number, detail: "usual" | "all", now: number): string[] {
  const { node } = look;
  const drain = node.drain === undefined ? [] : indentLines(`! ${describeDrain(node.drain)}`);
  if ("error" in look)
    return [formatRow(widest, [node.name, "not usable"]), ...drain, ...formatError(look.error, node.name)];
  const { facts } = look;
  const cells = [
    node.name,
    String(facts.gpus.length),
    formatBytes(facts.memory.total),
    facts.disk === null ? "?" : formatBytes(facts.disk.free),
    facts.python,
    formatDuration(facts.uptime),
  ];
  const lines = [...formatGpus(facts.gpus), ...listWarnings(node, facts, look.gpuHealth, now)];
  if (node.connection === "ssh") lines.push(`host key ok${look.hostKey === undefined ? "" : `: ${look.hostKey}`}`);
  if (facts.booted !== null) lines.push(`booted ${formatBootTime(facts.booted)}`);
  if (detail === "all") lines.push(...formatDetails(facts));
  return [formatRow(widest, cells), ...drain, ...lines.flatMap(indentLines)];
}

/** Returns a line for each kind of GPU with the PCI addresses of all GPUs of that kind. */
function formatGpus(gpus: Gpu[]): string[] {
  const kinds = new Map<string, string[]>();
  for (const { vendor, model, vram, pci } of gpus) {
    const kind = `${vendor} ${model ?? "unknown model"}${vram === null ? "" : `, ${formatBytes(vram)}`}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), pci ?? "(address unknown)"]);
  }
  return [...kinds].map(([kind, addresses]) => `${addresses.length} x ${kind}: ${addresses.join(" ")}`);
}

/** Returns warnings about a node that can be used. */
function listWarnings(node: Node, facts: Facts, health: readonly GpuHealth[], now: number): string[] {
  const warnings = [...listGpuWarnings(health), ...listToolWarnings(facts, health)];
  const knowsMissing = health.some(({ sick }) =>
    [...sick.values()].some((reason) => reason.includes(" is not there: ")),
  );
  if (!knowsMissing) warnings.push(...listCountWarnings(node, facts));
  const offset = facts.booted === null ? 0 : facts.booted + facts.uptime - now;
  if (Math.abs(offset) > MAX_CLOCK_OFFSET_SECONDS)
    warnings.push(
      `! clock is ${formatDuration(Math.abs(offset))} ${offset > 0 ? "ahead" : "behind"}: set up NTP on this node`,
    );
  return warnings;
}

/** The GPUs of a node with several kinds are compared by vendor. */
function listCountWarnings(node: Node, facts: Facts): string[] {
  const expected = expectGpus(node);
  const counts =
    expected.length < 2
      ? [{ what: "GPU", expected: node.gpus, found: facts.gpus.length }]
      : expected.map(({ vendor, count }) => {
          return { what: `${vendor} GPU`, expected: count, found: countOf(facts, vendor) };
        });
  return counts.flatMap(({ what, expected: listed, found }) =>
    listed === undefined || listed === found
      ? []
      : [`! the inventory lists ${pluralize(listed, what)}, but ${found} were found: check its risers and dmesg`],
  );
}

function countOf({ gpus }: Facts, vendor: Gpu["vendor"]): number {
  return gpus.filter((gpu) => gpu.vendor === vendor).length;
}

/** In the words in which `verify` and `run` report them. */
function listGpuWarnings(health: readonly GpuHealth[]): string[] {
  const sentences = health.flatMap(({ sick, toolError, missingTool }) => {
    const tool = toolError ?? missingTool;
    return [...(tool === undefined ? [] : [tool]), ...sick.values()];
  });
  return sentences.map((sentence) => `! ${sentence}`);
}

/** Returns the errors of tools that the health check does not use. */
function listToolWarnings(facts: Facts, health: readonly GpuHealth[]): string[] {
  return Object.entries(facts.tools).flatMap(([tool, why]) =>
    why === null || health.some((one) => one.tool === tool) ? [] : [`! ${tool}: ${why}`],
  );
}

function formatDetails(facts: Facts): string[] {
  const drivers = [
    ...new Set(facts.gpus.flatMap(({ vendor, driver }) => (driver === null ? [] : [`${vendor} ${driver}`]))),
  ];
  const { memory, disk } = facts;
  return [
    `hostname ${facts.hostname}, kernel ${facts.kernel}, ${pluralize(facts.cores, "core")}, home ${facts.home}`,
    `memory ${formatBytes(memory.available)} available${disk === null ? "" : `, disk ${formatBytes(disk.total)} at ${disk.path}`}`,
    ...(drivers.length > 0 ? [`drivers: ${drivers.join(", ")}`] : []),
    `boot id ${facts.boot}`,
  ];
}

function formatError(error: MusterError, name: string): string[] {
  return [error.textFor(name), ...(error.next === undefined ? [] : [`next: ${error.next}`])].flatMap(indentLines);
}

function formatTotal(looks: readonly NodeFacts[]): string {
  const usable = looks.flatMap((look) => ("error" in look ? [] : [look.facts]));
  const gpus = usable.reduce((sum, facts) => sum + facts.gpus.length, 0);
  return `${usable.length} of ${pluralize(looks.length, "node")} usable, ${pluralize(gpus, "GPU")}`;
}

function formatRow(widest: number, [name = "", ...cells]: string[]): string {
  const widths = [6, 11, 11, 9, 0];
  const parts = cells.map((cell, index) => padToColumns(toOneLine(cell), widths[index]!));
  return [padToColumns(toOneLine(name), widest + 2), ...parts].join("").trimEnd();
}

/** Formats Unix time to the minute: "2026-11-24 16:55 UTC". */
function formatBootTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime())
    ? "at an invalid time"
    : `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
