import type { SettingDifference } from "./cardsteps.js";

/** Drivers round a limit to whole watts. */
const TOLERANCE_WATTS = 1;

/** The power limit of a GPU and its bounds, in watts. `unread`: why the limit is not known; `refusal`: why it cannot be set. */
export interface PowerLimit {
  now?: number;
  lowest?: number;
  highest?: number;
  unread?: string;
  refusal?: string;
}

/** Pure: lists the power limit of a GPU unless it is as wanted. */
export function comparePower(wantWatts: number | undefined, limit: PowerLimit): SettingDifference[] {
  if (wantWatts === undefined) return [];
  const { now, lowest = 0, highest = Number.POSITIVE_INFINITY, unread, refusal } = limit;
  const want = formatWatts(wantWatts);
  if (now === undefined) return [{ setting: "power", have: unread ?? "unknown", want, refusal }];
  const isWithin = wantWatts >= lowest && wantWatts <= highest;
  const beyond = isWithin ? undefined : `the card takes ${formatBounds(lowest, highest)}`;
  if (Math.abs(now - wantWatts) <= TOLERANCE_WATTS && isWithin) return [];
  return [{ setting: "power", have: formatWatts(now), want, refusal: beyond }];
}

function formatBounds(lowest: number, highest: number): string {
  if (highest === Number.POSITIVE_INFINITY) return `${formatWatts(lowest)} or more`;
  return `${formatWatts(lowest)} to ${formatWatts(highest)}`;
}

function formatWatts(watts: number): string {
  return `${Number(watts.toFixed(1))} W`;
}
