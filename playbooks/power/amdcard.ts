import type { GpuSettings } from "../../fleet/gpus/gpusettings.js";
import type { ClockSetting } from "../../schemas/quantity.js";
import type { CardStep, Readings, SettingDifference } from "./cardsteps.js";
import {
  type ClockBounds,
  type ClockName,
  formatClocks,
  isSameClock,
  parseLevels,
  parseOverdrive,
} from "./clocktables.js";
import { compareFan, FAN, FAN_MODE, fanSteps } from "./fanspeed.js";
import { explainUnread } from "./missingfile.js";
import { comparePower, type PowerLimit } from "./powerlimit.js";

const CAP = "hwmon/power1_cap";
const LEVEL = "power_dpm_force_performance_level";
const OVERDRIVE = "pp_od_clk_voltage";
const FEATURE_MASK = "driver/module/parameters/ppfeaturemask";
const OVERDRIVE_BIT = 0x4000n;
const LEVELS_OF = { sclk: "pp_dpm_sclk", mclk: "pp_dpm_mclk" } as const;
/** The record of a clock that was forced to its highest level. */
const HIGHEST = "max";
const BOUNDED = "bounded";
const CLOCKS: readonly ClockName[] = ["sclk", "mclk"];

/** Returns the performance level that these settings need: the driver takes clocks at `manual` only. */
function findLevel({ perf, sclk, mclk }: GpuSettings): string | undefined {
  return sclk === undefined && mclk === undefined ? perf : "manual";
}

/** Returns the steps that read these settings of an AMD GPU. */
export function amdReadingSteps(settings: GpuSettings): CardStep[] {
  const has = (isBound: (want: ClockSetting) => boolean) =>
    CLOCKS.filter((name) => settings[name] !== undefined && isBound(settings[name]));
  const files = [
    ...(settings.powerWatts === undefined ? [] : [CAP, `${CAP}_min`, `${CAP}_max`]),
    ...(findLevel(settings) === undefined ? [] : [LEVEL]),
    ...(has((want) => want !== "max").length > 0 ? [OVERDRIVE, FEATURE_MASK] : []),
    ...has((want) => want === "max").map((name) => LEVELS_OF[name]),
    ...(settings.fan === undefined ? [] : [FAN_MODE, FAN]),
  ];
  const records = has(() => true).map((name): CardStep => ({ do: "recall", name }));
  return [...files.map((file): CardStep => ({ do: "read", file })), ...records];
}

/** Returns the power limit of an AMD GPU, as the steps for `powerWatts` have read it. */
export function readAmdPower(readings: Readings): PowerLimit {
  return {
    now: readWatts(readings, CAP),
    lowest: readWatts(readings, `${CAP}_min`),
    highest: readWatts(readings, `${CAP}_max`),
    ...explainUnread(readings, CAP),
  };
}

/** Pure: lists the settings of an AMD GPU that are not as they are wanted. */
export function compareAmd(settings: GpuSettings, readings: Readings): SettingDifference[] {
  return [
    ...comparePower(settings.powerWatts, readAmdPower(readings)),
    ...compareLevel(findLevel(settings), readings),
    ...CLOCKS.flatMap((name) => compareClock(name, settings[name], readings)),
    ...compareFan(settings.fan, readings),
  ];
}

/**
 * Pure: returns the steps that change these settings of an AMD GPU. Level and clocks are set together, because each of them can reset those
 * that follow it.
 */
export function amdChangeSteps(settings: GpuSettings, readings: Readings, differing: ReadonlySet<string>): CardStep[] {
  const { powerWatts, fan } = settings;
  const clocks = ["perf", ...CLOCKS].some((name) => differing.has(name)) ? clockSteps(settings, readings) : [];
  const cap =
    powerWatts === undefined || !differing.has("power") ? [] : [writeTo(CAP, `${Math.round(powerWatts * 1e6)}`)];
  return [...clocks, ...cap, ...(fan === undefined || !differing.has("fan") ? [] : fanSteps(fan))];
}

/** Microwatts in sysfs. */
function readWatts(readings: Readings, file: string): number | undefined {
  const text = /^\d{1,12}$/.exec(readings.get(file).text ?? "")?.[0];
  return text === undefined ? undefined : Number(text) / 1e6;
}

function compareLevel(want: string | undefined, readings: Readings): SettingDifference[] {
  const { text } = readings.get(LEVEL);
  if (want === undefined || text === want) return [];
  const { unread, refusal } = explainUnread(readings, LEVEL);
  return [{ setting: "perf", have: unread ?? (text?.slice(0, 60) || "unknown"), want, refusal }];
}

function compareClock(name: ClockName, want: ClockSetting | undefined, readings: Readings): SettingDifference[] {
  if (want === undefined) return [];
  return want === "max" ? compareHighest(name, readings) : compareBounds(name, want, readings);
}

/**
 * The driver tells the present clock, not the level that it is forced to. At the level `manual`, which is lost together with a forced
 * level, a clock that rests is as it should be; and so is a core clock that muster has forced, because a card that is short of power lowers it.
 */
function compareHighest(setting: ClockName, readings: Readings): SettingDifference[] {
  const file = LEVELS_OF[setting];
  const { unread, refusal } = explainUnread(readings, file);
  if (unread !== undefined) return [{ setting, have: unread, want: "max", refusal }];
  const levels = parseLevels(readings.get(file).text ?? "");
  if (levels === undefined) return [{ setting, have: "unknown", want: "max" }];
  const { highest, activeMhz, isResting } = levels;
  const isForced = setting === "sclk" && readings.get(setting).text === HIGHEST;
  if (isForced || isResting || (activeMhz !== undefined && isSameClock(activeMhz, highest.mhz))) return [];
  return [{ setting, have: activeMhz === undefined ? "unknown" : `${activeMhz} MHz`, want: `max, ${highest.mhz} MHz` }];
}

function compareBounds(setting: ClockName, want: ClockBounds, readings: Readings): SettingDifference[] {
  const different = (have: string, refusal?: string) => [{ setting, have, want: formatClocks(want), refusal }];
  const { unread, refusal } = explainUnread(readings, OVERDRIVE);
  if (unread !== undefined) return different(unread, refusal && adviseOnOverdrive(readings));
  const table = parseOverdrive(readings.get(OVERDRIVE).text ?? "", setting);
  const [minMhz, maxMhz] = [table?.clocks.get(0), table?.clocks.get(1)];
  if (table === undefined) return different("unknown", `${OVERDRIVE} has no OD_${setting.toUpperCase()}`);
  if (table.hasVoltages) return different("clocks with voltages", "muster does not set voltages");
  if (minMhz === undefined || maxMhz === undefined)
    return different(`${minMhz ?? "any"} to ${maxMhz ?? "any"} MHz`, `${OVERDRIVE} has only one bound of ${setting}`);
  const { range } = table;
  if (range !== undefined && (want.minMhz < range.minMhz || want.maxMhz > range.maxMhz))
    return different(formatClocks({ minMhz, maxMhz }), `the card takes ${formatClocks(range)}`);
  if (readings.get(setting).text === HIGHEST) return different("max");
  if (isSameClock(minMhz, want.minMhz) && isSameClock(maxMhz, want.maxMhz)) return [];
  return different(formatClocks({ minMhz, maxMhz }));
}

/** Explains why the driver has no overdrive file, by its feature mask. */
function adviseOnOverdrive(readings: Readings): string {
  const missing = `its driver has no ${OVERDRIVE}`;
  const mask = readings.get(FEATURE_MASK).text ?? "";
  if (!/^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(mask))
    return `${missing}: set the overdrive bit 0x4000 of amdgpu.ppfeaturemask under kernel`;
  if ((BigInt(mask) & OVERDRIVE_BIT) !== 0n) return `${missing}, although amdgpu.ppfeaturemask has the overdrive bit`;
  const wanted = `0x${(BigInt(mask) | OVERDRIVE_BIT).toString(16)}`;
  return `${missing}: amdgpu.ppfeaturemask lacks the overdrive bit, so set it to "${wanted}" under kernel`;
}

/** The level `auto` releases clocks that were forced before. */
function clockSteps(settings: GpuSettings, readings: Readings): CardStep[] {
  const level = findLevel(settings);
  const bounds = CLOCKS.flatMap((name) => {
    const want = settings[name];
    return want === undefined || want === "max" ? [] : overdriveCommands(name, want, readings);
  });
  const commit: CardStep = { do: "write", file: OVERDRIVE, texts: [...bounds, "c"], undo: "r" };
  const highest = CLOCKS.flatMap((name) => {
    const levels = settings[name] === "max" ? parseLevels(readings.get(LEVELS_OF[name]).text ?? "") : undefined;
    return levels === undefined ? [] : [writeTo(LEVELS_OF[name], `${levels.highest.index}`)];
  });
  const records = CLOCKS.filter((name) => settings[name] !== undefined).map((name): CardStep => {
    return { do: "remember", name, text: settings[name] === "max" ? HIGHEST : BOUNDED };
  });
  return [
    ...(records.length === 0 ? [] : [writeTo(LEVEL, "auto")]),
    ...(level === undefined ? [] : [writeTo(LEVEL, level)]),
    ...(bounds.length === 0 ? [] : [commit]),
    ...highest,
    ...records,
  ];
}

/** The driver refuses a lower bound above the upper one, so the order depends on the present bounds. */
function overdriveCommands(name: ClockName, { minMhz, maxMhz }: ClockBounds, readings: Readings): string[] {
  const letter = name === "sclk" ? "s" : "m";
  const commands = [`${letter} 0 ${minMhz}`, `${letter} 1 ${maxMhz}`];
  const present = parseOverdrive(readings.get(OVERDRIVE).text ?? "", name)?.clocks.get(1) ?? maxMhz;
  return minMhz > present ? commands.reverse() : commands;
}

function writeTo(file: string, ...texts: string[]): CardStep {
  return { do: "write", file, texts };
}
