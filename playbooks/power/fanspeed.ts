import type { GpuSettings } from "../../fleet/gpus/gpusettings.js";
import type { CardStep, Readings, SettingDifference } from "./cardsteps.js";
import { explainUnread } from "./missingfile.js";

export const FAN_MODE = "hwmon/pwm1_enable";
export const FAN = "hwmon/pwm1";

/** Full speed in hwmon. */
const MAX_PWM = 255;
/** A fan is measured by its turns. */
const TOLERANCE_SHARE = 0.05;
const FULL_SPEED = "0";
const FIXED = "1";
const AUTOMATIC = "2";

/** Pure: lists the speed of an AMD GPU's fan unless it is as wanted. */
export function compareFan(want: GpuSettings["fan"], readings: Readings): SettingDifference[] {
  if (want === undefined) return [];
  const wanted = want === "auto" ? want : formatShare(want);
  const different = (have: string, refusal?: string) => [{ setting: "fan", have, want: wanted, refusal }];
  const { unread, refusal } = explainUnread(readings, FAN_MODE);
  if (unread !== undefined) return different(unread, refusal);
  const mode = readings.get(FAN_MODE).text;
  if (mode === AUTOMATIC) return want === "auto" ? [] : different("auto");
  if (mode !== FIXED) return different(mode === FULL_SPEED ? "full speed" : "unknown");
  const pwm = /^\d{1,3}$/.exec(readings.get(FAN).text ?? "")?.[0];
  if (pwm === undefined) return different(explainUnread(readings, FAN).unread ?? "unknown");
  const share = Number(pwm) / MAX_PWM;
  return want !== "auto" && Math.abs(share - want) <= TOLERANCE_SHARE ? [] : different(formatShare(share));
}

/** Returns the steps that set the fan of an AMD GPU. */
export function fanSteps(want: NonNullable<GpuSettings["fan"]>): CardStep[] {
  if (want === "auto") return [{ do: "write", file: FAN_MODE, texts: [AUTOMATIC] }];
  return [
    { do: "write", file: FAN_MODE, texts: [FIXED] },
    { do: "write", file: FAN, texts: [`${Math.round(want * MAX_PWM)}`] },
  ];
}

function formatShare(share: number): string {
  return `${Math.round(share * 100)}%`;
}
