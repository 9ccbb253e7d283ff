import type { Problem } from "../schemas/errors.js";
import type { Source } from "../schemas/source.js";
import { SETTING_KEYS } from "./gpus/gpusettings.js";
import { type InventoryLayer, mergeSettings } from "./mergeprofile.js";
import type { Profile } from "./node.js";

type SettingKey = (typeof SETTING_KEYS)[number];

const NO_VENDOR: [message: string, hint: string] = [
  "the GPUs are of no vendor",
  "add vendor: amd or vendor: nvidia to the profile",
];

/** The keys that GPUs of a vendor do not have: why, and what to do. */
const FOREIGN_KEYS: Readonly<Record<Profile["vendor"], { [key in SettingKey]?: [message: string, hint: string] }>> = {
  amd: {
    persistence: ["only drivers of NVIDIA have a persistence mode", "remove it"],
    compute_mode: ["only drivers of NVIDIA have compute modes", "remove it"],
  },
  nvidia: {
    fan: ["nvidia-smi cannot set fans, only an X server can", "remove it, or set it there with nvidia-settings"],
    perf: ["only drivers of AMD have performance levels", "remove it, or write clocks"],
  },
  none: Object.fromEntries(SETTING_KEYS.map((key) => [key, NO_VENDOR])),
};

/** Returns which settings of the layers GPUs of this vendor do not have, or contradict one another. */
export function findSettingsProblems(
  source: Source,
  layers: readonly InventoryLayer[],
  vendor: Profile["vendor"],
): Problem[] {
  const report = (key: SettingKey, message: string, hint: string): Problem[] => {
    const layer = layers.findLast(({ keys }) => keys[key] !== undefined);
    if (layer === undefined) return [];
    const path = [...layer.path, key];
    return [{ ...source.positionOf(path), message: `${path.join(".")}: ${message}`, hint }];
  };
  const foreign = SETTING_KEYS.flatMap((key) => {
    const problem = FOREIGN_KEYS[vendor][key];
    return problem === undefined ? [] : report(key, ...problem);
  });
  if (foreign.length > 0) return foreign;
  const { sclk, mclk, perf, persistence } = mergeSettings(layers);
  if (sclk === undefined && mclk === undefined) return [];
  if (vendor === "amd" && perf !== undefined && perf !== "manual")
    return report("clocks", `they are kept at perf: manual only, and perf is ${perf}`, "remove perf or clocks");
  if (vendor === "nvidia" && persistence !== "on")
    return report("clocks", "the driver forgets them without persistence mode", "add persistence: on");
  return [];
}
