import type { Facts, Gpu } from "../fleet/facts.js";
import type { Look } from "../fleet/look.js";
import type { MusterError } from "../schemas/errors.js";
import { bytes, duration, oneLine, plural, textOf, wrapped } from "./format.js";
import { columnsOf, padEndColumns } from "./width.js";

/** Columns of a terminal that nobody widened. */
const WIDTH = 80;
/** A clock that is off by more than this, seconds, is worth a word. */
const CLOCK = 60;

/** What `muster nodes` shows: a row a node with lines of detail below it. `now`: Unix time here. */
export function nodesText(looks: Look[], detail: "usual" | "all", now: number): string {
  const widest = Math.max(4, ...looks.map(({ node }) => columnsOf(oneLine(node.name))));
  const head = row(widest, ["node", "gpus", "memory", "disk free", "python", "up"]);
  return textOf([head, ...looks.flatMap((look) => block(look, widest, detail, now)), "", total(looks)]);
}

/** The nodes that cannot be used, each with its reason and what to do; "" where there is none. */
export function troubleText(looks: Look[]): string {
  return textOf(
    looks.flatMap((look) => ("error" in look ? [look.node.name, ...trouble(look.error, look.node.name)] : [])),
  );
}

/** One node in one line, for progress. */
export function lookLine(look: Look): string {
  const { name } = look.node;
  if ("error" in look) return textOf([`${name}: ${withoutName(look.error, name)}`]);
  const { gpus, memory } = look.facts;
  return textOf([`${name}: ${plural(gpus.length, "GPU")}, ${bytes(memory.total)} memory`]);
}

/** The same as one JSON document. */
export function nodesDocument(looks: Look[]) {
  const nodes = looks.map((look) => {
    const { name, host, connection, profile, tags } = look.node;
    const base = { node: name, host, connection, profile: profile.name, tags };
    if (!("error" in look)) return { ...base, usable: true, hostKey: look.hostKey ?? null, ...look.facts };
    const { code, message, next } = look.error;
    return { ...base, usable: false, code, reason: message, next: next ?? null };
  });
  return { nodes, usable: nodes.filter((one) => one.usable).length };
}

function block(look: Look, widest: number, detail: "usual" | "all", now: number): string[] {
  const { node } = look;
  if ("error" in look) return [row(widest, [node.name, "not usable"]), ...trouble(look.error, node.name)];
  const { facts } = look;
  const cells = [
    node.name,
    String(facts.gpus.length),
    bytes(facts.memory.total),
    facts.disk === null ? "?" : bytes(facts.disk.free),
    facts.python,
    duration(facts.uptime),
  ];
  const lines = [...cards(facts.gpus), ...notes(look.node.gpus, facts, now)];
  if (node.connection === "ssh") lines.push(`host key ok${look.hostKey === undefined ? "" : `: ${look.hostKey}`}`);
  if (facts.booted !== null) lines.push(`booted ${day(facts.booted)}`);
  if (detail === "all") lines.push(...everything(facts));
  return [row(widest, cells), ...lines.flatMap(indented)];
}

/** A line for each kind of card, with the addresses of all of that kind. */
function cards(gpus: Gpu[]): string[] {
  const kinds = new Map<string, string[]>();
  for (const { vendor, model, vram, pci } of gpus) {
    const kind = `${vendor} ${model ?? "unknown model"}${vram === null ? "" : `, ${bytes(vram)}`}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), pci ?? "(address unknown)"]);
  }
  return [...kinds].map(([kind, addresses]) => `${addresses.length} x ${kind}: ${addresses.join(" ")}`);
}

/** What is not as it should be. */
function notes(expected: number | undefined, facts: Facts, now: number): string[] {
  const found: string[] = [];
  if (expected !== undefined && expected !== facts.gpus.length)
    found.push(
      `! the inventory says ${plural(expected, "GPU")}, ${facts.gpus.length} found: look at its risers and dmesg`,
    );
  for (const [tool, why] of Object.entries(facts.tools)) if (why !== null) found.push(`! ${tool}: ${why}`);
  const off = facts.booted === null ? 0 : facts.booted + facts.uptime - now;
  if (Math.abs(off) > CLOCK)
    found.push(`! its clock is ${duration(Math.abs(off))} ${off > 0 ? "ahead" : "behind"}: set up NTP there`);
  return found;
}

function everything(facts: Facts): string[] {
  const drivers = [
    ...new Set(facts.gpus.flatMap(({ vendor, driver }) => (driver === null ? [] : [`${vendor} ${driver}`]))),
  ];
  const { memory, disk } = facts;
  return [
    `hostname ${facts.hostname}, kernel ${facts.kernel}, ${plural(facts.cores, "core")}, home ${facts.home}`,
    `memory ${bytes(memory.available)} available${disk === null ? "" : `, disk ${bytes(disk.total)} at ${disk.path}`}`,
    ...(drivers.length > 0 ? [`drivers: ${drivers.join(", ")}`] : []),
    `boot id ${facts.boot}`,
  ];
}

function trouble(error: MusterError, name: string): string[] {
  return [withoutName(error, name), ...(error.next === undefined ? [] : [`next: ${error.next}`])].flatMap(indented);
}

function withoutName({ message }: MusterError, name: string): string {
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}

function total(looks: Look[]): string {
  const usable = looks.flatMap((look) => ("error" in look ? [] : [look.facts]));
  const gpus = usable.reduce((sum, facts) => sum + facts.gpus.length, 0);
  return `${usable.length} of ${plural(looks.length, "node")} usable, ${plural(gpus, "GPU")}`;
}

function row(widest: number, [name = "", ...cells]: string[]): string {
  const widths = [6, 11, 11, 9, 0];
  const parts = cells.map((cell, index) => padEndColumns(oneLine(cell), widths[index]!));
  return [padEndColumns(oneLine(name), widest + 2), ...parts].join("").trimEnd();
}

/** Text four columns in, broken at spaces so that it fits the terminal. */
function indented(text: string): string[] {
  return wrapped(text, "    ", WIDTH);
}

/** Minutes are enough: "2026-11-24 16:55 UTC". */
function day(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime())
    ? "at an impossible time"
    : `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
