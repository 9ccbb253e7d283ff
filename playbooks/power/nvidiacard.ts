import type { GpuSettings } from "../../fleet/gpus/gpusettings.js";
import type { ClockSetting } from "../../schemas/quantity.js";
import type { CardStep, CardStepResult, Readings, SettingDifference } from "./cardsteps.js";
import { type ClockBounds, type ClockName, exceedsClock, formatClocks } from "./clocktables.js";
import { comparePower, type PowerLimit } from "./powerlimit.js";

const TOOL = "nvidia-smi";
const FIELDS = [
  "pci.bus_id",
  "power.limit",
  "power.min_limit",
  "power.max_limit",
  "persistence_mode",
  "compute_mode",
  "clocks.gr",
  "clocks.max.gr",
  "clocks.mem",
  "clocks.max.mem",
] as const;
type Row = Readonly<Record<(typeof FIELDS)[number], string>>;

const CLOCKS = {
  sclk: { now: "clocks.gr", highest: "clocks.max.gr", option: "-lgc" },
  mclk: { now: "clocks.mem", highest: "clocks.max.mem", option: "-lmc" },
} as const;
const CLOCK_NAMES: readonly ClockName[] = ["sclk", "mclk"];
/** What the tool prints of a GPU that its driver has lost, or does not know. */
const LOST = /GPU is lost|Unable to determine the device handle|No devices were found/i;

/** Returns the steps that read these settings of an NVIDIA GPU. The driver does not tell to what clocks were locked, so that is recorded. */
export function nvidiaReadingSteps(settings: GpuSettings): CardStep[] {
  const query = [TOOL, "-i", "{pci}", `--query-gpu=${FIELDS.join()}`, "--format=csv,noheader,nounits"];
  const records = CLOCK_NAMES.filter((name) => settings[name] !== undefined);
  return [{ do: "run", argv: query }, ...records.map((name): CardStep => ({ do: "recall", name }))];
}

/** Whether the driver has lost an NVIDIA GPU that is on the PCI bus. */
export function isLostByDriver(readings: Readings): boolean {
  const { text = "", error = "" } = readings.get(TOOL);
  return LOST.test(text) || LOST.test(error);
}

/** Pure: lists the settings of an NVIDIA GPU that are not as they are wanted. */
export function compareNvidia(settings: GpuSettings, readings: Readings): SettingDifference[] {
  const result = readings.get(TOOL);
  const row = parseRow(result);
  if (row === undefined) return [{ setting: "settings", have: `unknown: ${explain(result)}`, want: "a report" }];
  const { powerWatts, persistence, computeMode } = settings;
  const mode = row.persistence_mode === "Enabled" ? "on" : row.persistence_mode === "Disabled" ? "off" : "unknown";
  return [
    ...compareText("persistence", mode, persistence),
    ...comparePower(powerWatts, readRowPower(row)),
    ...CLOCK_NAMES.flatMap((name) => compareLock(name, settings[name], row, readings)),
    ...compareText("compute_mode", row.compute_mode.toLowerCase(), computeMode),
  ];
}

/** Pure: returns the steps that change these settings of an NVIDIA GPU. Persistence comes first, because it keeps those that follow. */
export function nvidiaChangeSteps(
  settings: GpuSettings,
  readings: Readings,
  differing: ReadonlySet<string>,
): CardStep[] {
  const { powerWatts, persistence, computeMode } = settings;
  const set = (...words: string[]): CardStep => ({ do: "run", argv: [TOOL, "-i", "{pci}", ...words] });
  const row = parseRow(readings.get(TOOL));
  const locks = CLOCK_NAMES.filter((name) => differing.has(name)).flatMap((name): CardStep[] => {
    const bounds = findBounds(name, settings[name], row);
    if (bounds === undefined) return [];
    const text = formatLock(bounds);
    return [set(CLOCKS[name].option, text), { do: "remember", name, text }];
  });
  return [
    ...(differing.has("persistence") ? [set("-pm", persistence === "on" ? "1" : "0")] : []),
    ...(differing.has("power") ? [set("-pl", `${powerWatts}`)] : []),
    ...locks,
    ...(differing.has("compute_mode") ? [set("-c", `${computeMode}`.toUpperCase())] : []),
  ];
}

/** Pure: notes that the driver forgets what it is told when no program uses the GPU. */
export function noteForgetting(settings: GpuSettings, readings: Readings): string | undefined {
  const isOff = parseRow(readings.get(TOOL))?.persistence_mode === "Disabled";
  if (!isOff || settings.persistence !== undefined || settings.powerWatts === undefined) return undefined;
  return "its persistence mode is off, so the driver forgets its settings when the last program ends: add persistence: on";
}

/** Returns the power limit of an NVIDIA GPU, as the steps that read it have found it. */
export function readNvidiaPower(readings: Readings): PowerLimit {
  const result = readings.get(TOOL);
  const row = parseRow(result);
  return row === undefined ? { unread: `unknown: ${explain(result)}` } : readRowPower(row);
}

function readRowPower(row: Row): PowerLimit {
  const now = parseNumber(row["power.limit"]);
  const [lowest, highest] = [parseNumber(row["power.min_limit"]), parseNumber(row["power.max_limit"])];
  const refusal = now === undefined ? "its driver has no power limit" : undefined;
  return { now, lowest, highest, unread: "not offered", refusal };
}

function parseRow({ text = "" }: CardStepResult): Row | undefined {
  const cells = text.split("\n").map((line) => line.split(",").map((cell) => cell.trim()));
  const found = cells.find((one) => one.length === FIELDS.length);
  return found && (Object.fromEntries(FIELDS.map((name, index) => [name, found[index]!.slice(0, 60)])) as Row);
}

function explain({ text = "", error }: CardStepResult): string {
  return `${TOOL}: ${error ?? `no report: ${text.slice(0, 60)}`}`;
}

function parseNumber(text: string): number | undefined {
  return /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : undefined;
}

function compareText(setting: string, have: string, want: string | undefined): SettingDifference[] {
  return want === undefined || have === want ? [] : [{ setting, have, want }];
}

/** The driver tells the present clock and the highest one; to what the clock is locked, muster's record. */
function compareLock(
  name: ClockName,
  want: ClockSetting | undefined,
  row: Row,
  readings: Readings,
): SettingDifference[] {
  if (want === undefined) return [];
  const bounds = findBounds(name, want, row);
  if (bounds === undefined)
    return [{ setting: name, have: "not offered", want: "max", refusal: "its driver tells no highest clock" }];
  const highest = parseNumber(row[CLOCKS[name].highest]);
  const isBeyond = highest !== undefined && bounds.maxMhz > highest;
  const refusal = isBeyond ? `the card takes at most ${highest} MHz` : undefined;
  const have = describeLock(name, bounds, row, readings);
  if (have === undefined && !isBeyond) return [];
  return [{ setting: name, have: have ?? formatClocks(bounds), want: formatClocks(bounds), refusal }];
}

/** Describes how a clock is locked; undefined: as wanted. */
function describeLock(name: ClockName, bounds: ClockBounds, row: Row, readings: Readings): string | undefined {
  const recorded = /^(\d{1,6}),(\d{1,6})$/.exec(readings.get(name).text ?? "");
  if (recorded === null) return "not set since the driver was loaded";
  if (recorded[0] !== formatLock(bounds))
    return formatClocks({ minMhz: Number(recorded[1]), maxMhz: Number(recorded[2]) });
  const now = parseNumber(row[CLOCKS[name].now]);
  return now !== undefined && exceedsClock(now, bounds.maxMhz) ? `${now} MHz` : undefined;
}

function findBounds(name: ClockName, want: ClockSetting | undefined, row: Row | undefined): ClockBounds | undefined {
  if (want !== "max") return want;
  const highest = row && parseNumber(row[CLOCKS[name].highest]);
  return highest === undefined ? undefined : { minMhz: highest, maxMhz: highest };
}

function formatLock({ minMhz, maxMhz }: ClockBounds): string {
  return `${minMhz},${maxMhz}`;
}
