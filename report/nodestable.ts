import type { NodeFacts } from "../fleet/allfacts.js";
import type { Facts, Gpu } from "../fleet/facts.js";
import type { MusterError } from "../schemas/errors.js";
import { countColumns, padToColumns } from "./columns.js";
import { formatBytes, formatDuration, pluralize, toOneLine, toPrintableText, wrapText } from "./format.js";

/** Columns of a terminal that nobody widened. */
const TERMINAL_COLUMNS = 80;
/** A clock that is off by more than this, seconds, is worth a word. */
const MAX_CLOCK_OFFSET_SECONDS = 60;

/** What `muster nodes` shows: a row a node with lines of detail below it. `now`: Unix time here. */
export function formatNodesTable(looks: NodeFacts[], detail: "usual" | "all", now: number): string {
  const widest = Math.max(4, ...looks.map(({ node }) => countColumns(toOneLine(node.name))));
  const head = formatRow(widest, ["node", "gpus", "memory", "disk free", "python", "up"]);
  return toPrintableText([
    head,
    ...looks.flatMap((look) => formatNodeBlock(look, widest, detail, now)),
    "",
    formatTotal(looks),
  ]);
}

/** The nodes that cannot be used, each with its reason and what to do; "" where there is none. */
export function formatUnusableNodes(looks: NodeFacts[]): string {
  return toPrintableText(
    looks.flatMap((look) => ("error" in look ? [look.node.name, ...formatError(look.error, look.node.name)] : [])),
  );
}

/** One node in one line, for progress. */
export function formatNodeLine(look: NodeFacts): string {
  const { name } = look.node;
  if ("error" in look) return toPrintableText([`${name}: ${removeNodePrefix(look.error, name)}`]);
  const { gpus, memory } = look.facts;
  return toPrintableText([`${name}: ${pluralize(gpus.length, "GPU")}, ${formatBytes(memory.total)} memory`]);
}

/** The same as one JSON document. */
export function buildNodesDocument(looks: NodeFacts[]) {
  const nodes = looks.map((look) => {
    const { name, host, connection, profile, tags } = look.node;
    const base = { node: name, host, connection, profile: profile.name, tags };
    if (!("error" in look)) return { ...base, usable: true, hostKey: look.hostKey ?? null, ...look.facts };
    const { code, message, next } = look.error;
    return { ...base, usable: false, code, reason: message, next: next ?? null };
  });
  return { nodes, usable: nodes.filter((one) => one.usable).length };
}

function formatNodeBlock(look: NodeFacts, widest: number, detail: "usual" | "all", now: number): string[] {
  const { node } = look;
  if ("error" in look) return [formatRow(widest, [node.name, "not usable"]), ...formatError(look.error, node.name)];
  const { facts } = look;
  const cells = [
    node.name,
    String(facts.gpus.length),
    formatBytes(facts.memory.total),
    facts.disk === null ? "?" : formatBytes(facts.disk.free),
    facts.python,
    formatDuration(facts.uptime),
  ];
  const lines = [...formatGpus(facts.gpus), ...listWarnings(look.node.gpus, facts, now)];
  if (node.connection === "ssh") lines.push(`host key ok${look.hostKey === undefined ? "" : `: ${look.hostKey}`}`);
  if (facts.booted !== null) lines.push(`booted ${formatBootTime(facts.booted)}`);
  if (detail === "all") lines.push(...formatDetails(facts));
  return [formatRow(widest, cells), ...lines.flatMap(indentLines)];
}

/** A line for each kind of card, with the addresses of all of that kind. */
function formatGpus(gpus: Gpu[]): string[] {
  const kinds = new Map<string, string[]>();
  for (const { vendor, model, vram, pci } of gpus) {
    const kind = `${vendor} ${model ?? "unknown model"}${vram === null ? "" : `, ${formatBytes(vram)}`}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), pci ?? "(address unknown)"]);
  }
  return [...kinds].map(([kind, addresses]) => `${addresses.length} x ${kind}: ${addresses.join(" ")}`);
}

/** What is not as it should be. */
function listWarnings(expected: number | undefined, facts: Facts, now: number): string[] {
  const found: string[] = [];
  if (expected !== undefined && expected !== facts.gpus.length)
    found.push(
      `! the inventory says ${pluralize(expected, "GPU")}, ${facts.gpus.length} found: look at its risers and dmesg`,
    );
  for (const [tool, why] of Object.entries(facts.tools)) if (why !== null) found.push(`! ${tool}: ${why}`);
  const off = facts.booted === null ? 0 : facts.booted + facts.uptime - now;
  if (Math.abs(off) > MAX_CLOCK_OFFSET_SECONDS)
    found.push(`! its clock is ${formatDuration(Math.abs(off))} ${off > 0 ? "ahead" : "behind"}: set up NTP there`);
  return found;
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
  return [removeNodePrefix(error, name), ...(error.next === undefined ? [] : [`next: ${error.next}`])].flatMap(
    indentLines,
  );
}

function removeNodePrefix({ message }: MusterError, name: string): string {
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}

function formatTotal(looks: NodeFacts[]): string {
  const usable = looks.flatMap((look) => ("error" in look ? [] : [look.facts]));
  const gpus = usable.reduce((sum, facts) => sum + facts.gpus.length, 0);
  return `${usable.length} of ${pluralize(looks.length, "node")} usable, ${pluralize(gpus, "GPU")}`;
}

function formatRow(widest: number, [name = "", ...cells]: string[]): string {
  const widths = [6, 11, 11, 9, 0];
  const parts = cells.map((cell, index) => padToColumns(toOneLine(cell), widths[index]!));
  return [padToColumns(toOneLine(name), widest + 2), ...parts].join("").trimEnd();
}

/** Text four columns in, broken at spaces so that it fits the terminal. */
function indentLines(text: string): string[] {
  return wrapText(text, "    ", TERMINAL_COLUMNS);
}

/** Minutes are enough: "2026-11-24 16:55 UTC". */
function formatBootTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime())
    ? "at an impossible time"
    : `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
