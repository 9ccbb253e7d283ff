import type { GpuUsage, NodeUsage, RunUsage } from "../executor/run/record/usagesums.js";
import { type CardFigure, THROTTLE_REASONS } from "../fleet/gpus/cardfigures.js";
import { padToColumns, TERMINAL_COLUMNS } from "./columns.js";
import { formatBytes, formatDuration, formatWithPrefix, shortenMiddle } from "./format.js";

/** The totals that one line shows. */
export type UsageTotals = Pick<GpuUsage, "wattHours" | "unitsPerWattHour" | "cost" | "throttled" | "idleSeconds">;

/** A smaller share of the time without samples is not worth a word. */
const MOSTLY_MEASURED = 0.9;
const WATT_HOURS_PER_KWH = 1000;
/** A smaller amount of money is written with two digits, whatever its size. */
const SMALL_COST = 1;

/** Formats an energy: "0.12 Wh", "12.4 Wh", "1.24 kWh". */
export function formatEnergy(wattHours: number): string {
  return wattHours >= WATT_HOURS_PER_KWH
    ? `${formatWithPrefix(wattHours / WATT_HOURS_PER_KWH)} kWh`
    : `${formatSmall(wattHours)} Wh`;
}

/** Returns the energy, units per Wh, cost and throttled time in one line; empty where none of them is known. */
export function formatUsageTotals({ wattHours, unitsPerWattHour, cost, throttled, idleSeconds }: UsageTotals): string {
  const heat = throttled?.heat ?? 0;
  return [
    ...(wattHours === undefined ? [] : [formatEnergy(wattHours)]),
    ...(unitsPerWattHour === undefined ? [] : [`${formatWithPrefix(unitsPerWattHour)} units/Wh`]),
    ...(cost === undefined ? [] : [`cost ${formatCost(cost)}`]),
    ...(heat === 0 ? [] : [`throttled by heat for ${formatDuration(heat)}`]),
    ...(idleSeconds === undefined ? [] : [`idle in chunks for ${formatDuration(idleSeconds)}`]),
  ].join(", ");
}

/** Returns the line of a run: its totals, and how much of the time they cover where that is not nearly all. */
export function formatRunUsage(usage: RunUsage): string {
  const totals = formatUsageTotals(usage);
  const share = usage.seconds / Math.max(usage.computedSeconds, 0.001);
  const covered = `measured for ${Math.round(100 * share)} % of the time in which GPUs computed results`;
  return `GPUs: ${[totals, ...(share < MOSTLY_MEASURED ? [covered] : [])].filter((text) => text !== "").join("; ")}`;
}

const CELL_COLUMNS = [6, 8, 7, 5, 7, 9, 15];
const HEADS = ["Wh", "units/Wh", "cost", "busy", "W", "°C", "throttled"];
const NAME_COLUMNS = TERMINAL_COLUMNS - CELL_COLUMNS.reduce((sum, width) => sum + width + 1, 0);

/** Returns a table for a terminal: the nodes, and below each its cards. The lines are printable only in `toPrintableText`. */
export function formatUsageTable(usage: RunUsage | undefined): string[] {
  if (usage === undefined) return [];
  const rows = usage.nodes.flatMap((node) => [
    formatRow(node.node, listCells(node)),
    ...node.cards.map((card) => formatRow(`  ${card.pci.replace(/^0+:/, "")}`, listCells(card))),
  ]);
  return [formatRunUsage(usage), formatRow("node, GPU", HEADS), ...rows];
}

/** Power as mean/max, temperatures as the largest of edge/junction/memory. */
function listCells(usage: GpuUsage): string[] {
  const { wattHours, unitsPerWattHour, cost, busy, watts } = usage;
  const celsius = [usage.celsius, usage.junctionCelsius, usage.memoryCelsius].flatMap((one) =>
    one === undefined ? [] : [Math.round(one.max)],
  );
  return [
    wattHours === undefined ? "" : formatSmall(wattHours),
    unitsPerWattHour === undefined ? "" : formatWithPrefix(unitsPerWattHour),
    cost === undefined ? "" : formatCost(cost),
    busy === undefined ? "" : `${Math.round(busy.mean)} %`,
    watts === undefined ? "" : `${Math.round(watts.mean)}/${Math.round(watts.max)}`,
    celsius.join("/"),
    listThrottled(usage, roughly)[0] ?? "",
  ];
}

function formatRow(name: string, cells: string[]): string {
  const rest = cells.map((cell, index) => cell.padStart(CELL_COLUMNS[index]!));
  return `${padToColumns(shortenMiddle(name, NAME_COLUMNS), NAME_COLUMNS)} ${rest.join(" ")}`.trimEnd();
}

/** The columns of the table of a page. */
export const USAGE_HEADS = [
  "",
  "results",
  "Wh",
  "units/Wh",
  "cost",
  "busy",
  "memory",
  "W",
  "°C edge",
  "junction",
  "memory °C",
  "MHz",
  "memory MHz",
  "fan",
  "throttled",
  "idle",
];

/** Returns the rows of the table of a page: the run, then each node with its cards. Figures are mean / max. */
export function buildUsageRows(usage: RunUsage): string[][] {
  return [
    ["run", ...listAllCells(usage)],
    ...usage.nodes.flatMap((node) => [[node.node, ...listAllCells(node)], ...buildCardRows(node)]),
  ];
}

function buildCardRows({ cards }: NodeUsage): string[][] {
  return cards.map((card) => [
    `    ${card.pci}${card.model === undefined ? "" : ` ${card.model}`}`,
    ...listAllCells(card),
  ]);
}

function listAllCells(usage: GpuUsage): string[] {
  const { results, wattHours, unitsPerWattHour, cost, idleSeconds } = usage;
  const both = (name: CardFigure, format = (value: number) => `${Math.round(value)}`) => {
    const figure = usage[name];
    return figure === undefined ? "" : `${format(figure.mean)} / ${format(figure.max)}`;
  };
  return [
    `${results}`,
    wattHours === undefined ? "" : formatSmall(wattHours),
    unitsPerWattHour === undefined ? "" : formatWithPrefix(unitsPerWattHour),
    cost === undefined ? "" : formatCost(cost),
    both("busy", (value) => `${Math.round(value)} %`),
    both("used", formatBytes),
    both("watts"),
    both("celsius"),
    both("junctionCelsius"),
    both("memoryCelsius"),
    both("mhz"),
    both("memoryMhz"),
    both("fan", (value) => `${Math.round(value)} %`),
    listThrottled(usage, formatDuration).join(", "),
    idleSeconds === undefined ? "" : formatDuration(idleSeconds),
  ];
}

/** Returns how long the clocks were held down, by reason, what harms most first. */
function listThrottled({ throttled = {} }: GpuUsage, format: (seconds: number) => string): string[] {
  return THROTTLE_REASONS.flatMap((reason) => {
    const seconds = throttled[reason] ?? 0;
    return seconds === 0 ? [] : [`${reason} ${format(seconds)}`];
  });
}

/** Returns a duration in its largest unit, rounded: "4 min" of 4 min 10 s, "1.3 h" of 1 h 20 min. */
function roughly(seconds: number): string {
  if (seconds < 60) return formatDuration(seconds);
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.round(seconds / 360) / 10} h`;
}

function formatCost(cost: number): string {
  return cost === 0 || cost >= SMALL_COST ? cost.toFixed(2) : formatSmall(cost);
}

/** Formats a number with two or three digits, without an exponent. */
function formatSmall(value: number): string {
  if (value >= 1) return formatWithPrefix(value);
  return value > 0 && value < 0.0001 ? "<0.0001" : `${Number(value.toPrecision(2))}`;
}
