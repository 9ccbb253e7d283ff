import type { GpuStatus } from "./gpustatus.js";

/** The first word of the output of `SYSFS_SCRIPT`. */
export const SYSFS_MARK = "sysfs";

/** A shell script that prints the clocks and performance level of each AMD GPU, without starting another process. */
export const SYSFS_SCRIPT = `echo ${SYSFS_MARK}
for device in /sys/bus/pci/devices/*; do [ -r "$device/pp_dpm_sclk" ] || continue
  for file in pp_dpm_sclk pp_dpm_mclk power_dpm_force_performance_level; do
    while read -r line; do echo "\${device##*/} $file $line"; done <"$device/$file"
  done
done`;

/** Parses the output of `SYSFS_SCRIPT`: the current clock is the line with an asterisk. undefined: it lists no GPU. */
export function parseSysfs(output: string): GpuStatus[] | undefined {
  const cards = new Map<string, GpuStatus>();
  for (const line of output.split("\n")) {
    const [, pci, file, value = ""] = /^([0-9a-f:.]{12}) (\w+) (.*)$/.exec(line) ?? [];
    if (pci === undefined) continue;
    const card = cards.get(pci) ?? createSilentGpu(pci);
    cards.set(pci, card);
    if (file === "power_dpm_force_performance_level") card.perf = value;
    else if (value.endsWith("*")) card.clocks[file === "pp_dpm_sclk" ? "sclk" : "mclk"] = value;
  }
  for (const card of cards.values())
    card.isUnreadable = card.perf === null || card.perf === "unknown" || Object.values(card.clocks).includes(null);
  return cards.size > 0 ? [...cards.values()] : undefined;
}

function createSilentGpu(pci: string): GpuStatus {
  return { pci, clocks: { sclk: null, mclk: null }, perf: null, driver: null, errors: 0, isUnreadable: true };
}
