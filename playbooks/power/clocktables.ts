import type { ClockSetting } from "../../schemas/quantity.js";

/** The names of clocks as the inventory has them. */
export type ClockName = "sclk" | "mclk";

/** Bounds in MHz. */
export type ClockBounds = Exclude<ClockSetting, "max">;

/** The driver rounds a clock to the steps of the card. */
const TOLERANCE_MHZ = 15;

/** Whether a clock in MHz is as good as another one. */
export function isSameClock(mhz: number, other: number): boolean {
  return Math.abs(mhz - other) <= TOLERANCE_MHZ;
}

/** Whether a clock in MHz is above an upper bound. */
export function exceedsClock(mhz: number, maxMhz: number): boolean {
  return mhz > maxMhz + TOLERANCE_MHZ;
}

export function formatClocks({ minMhz, maxMhz }: ClockBounds): string {
  return `${minMhz} to ${maxMhz} MHz`;
}

/** The levels of a clock, as pp_dpm_sclk and pp_dpm_mclk list them. */
export interface ClockLevels {
  highest: { index: number; mhz: number };
  /** The level that is marked; undefined: the clock rests (deep sleep), or none is marked. */
  activeMhz?: number;
  isResting: boolean;
}

/** Parses lines such as `1: 875Mhz *`; `S: 19Mhz *` is deep sleep. undefined: there are no numbered levels. */
export function parseLevels(text: string): ClockLevels | undefined {
  const rows = text.split("\n").flatMap((line) => {
    const [, level, mhz, mark] = /^(\d{1,3}|S): (\d{1,6})mhz *(\*?)$/i.exec(line.trim()) ?? [];
    return level === undefined ? [] : [{ level, mhz: Number(mhz), isActive: mark === "*" }];
  });
  const numbered = rows.filter(({ level }) => level !== "S");
  const highest = numbered.at(-1);
  if (highest === undefined) return undefined;
  return {
    highest: { index: Number(highest.level), mhz: highest.mhz },
    activeMhz: numbered.find(({ isActive }) => isActive)?.mhz,
    isResting: rows.some(({ level, isActive }) => level === "S" && isActive),
  };
}

/** What pp_od_clk_voltage says of one clock. */
export interface OverdriveTable {
  /** MHz by number: 0 is the lower bound, 1 the upper one. Some cards lack one, or have a list of levels instead. */
  clocks: Map<number, number>;
  /** Whether each clock has a voltage, which would be set with it. */
  hasVoltages: boolean;
  range?: ClockBounds;
}

/** Parses pp_od_clk_voltage. undefined: it has no table of this clock. */
export function parseOverdrive(text: string, name: ClockName): OverdriveTable | undefined {
  const table: OverdriveTable = { clocks: new Map(), hasVoltages: false };
  let section = "";
  for (const line of text.split("\n").map((one) => one.trim())) {
    const [, head] = /^(OD_\w+):$/.exec(line) ?? [];
    if (head !== undefined) section = head;
    const [, index, mhz, voltage] = /^(\d{1,2}): *(\d{1,6})mhz( +\d+ *mv)?$/i.exec(line) ?? [];
    if (section === `OD_${name.toUpperCase()}` && index !== undefined) {
      table.clocks.set(Number(index), Number(mhz));
      table.hasVoltages ||= voltage !== undefined;
    }
    const [, ranged, lowest, highest] = /^(\w+): *(\d{1,6})mhz +(\d{1,6})mhz$/i.exec(line) ?? [];
    if (section === "OD_RANGE" && ranged === name.toUpperCase())
      table.range = { minMhz: Number(lowest), maxMhz: Number(highest) };
  }
  return table.clocks.size > 0 ? table : undefined;
}
