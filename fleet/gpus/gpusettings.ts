import type { ClockSetting } from "../../schemas/quantity.js";

/** What the playbook `power` keeps on each GPU of a kind; undefined: left as it is. */
export interface GpuSettings {
  powerWatts?: number;
  sclk?: ClockSetting;
  mclk?: ClockSetting;
  /** A share of the full speed, above 0 and up to 1. */
  fan?: "auto" | number;
  perf?: "auto" | "manual" | "high" | "low";
  persistence?: "on" | "off";
  computeMode?: "default" | "exclusive_process" | "prohibited";
}

/** The keys of the inventory that become these settings. */
export const SETTING_KEYS = ["power", "clocks", "fan", "perf", "persistence", "compute_mode"] as const;
