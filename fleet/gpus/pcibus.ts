import type { GpuVendor, ProbeOutput } from "./probeoutput.js";

export const PCI_VENDOR_IDS = { amd: "0x1002", nvidia: "0x10de" } as const;

/** The PCI classes of GPUs: display controllers, and processing accelerators such as MI300X. Keep in sync with cards.py. */
const GPU_CLASSES = "0x03*|0x12*";

/**
 * A shell script that prints `ADDRESS VENDOR` for each GPU on the PCI bus. `integrated` follows for the graphics of an AMD processor: other
 * functions of the same device, such as its security processor, have the vendor id of AMD's processors (0x1022), never that of its GPUs.
 */
export const PCI_BUS_SCRIPT = `for device in /sys/bus/pci/devices/*; do
  [ -r "$device/class" ] && read -r class <"$device/class" && read -r vendor <"$device/vendor" || continue
  case $class in ${GPU_CLASSES}) ;; *) continue;; esac
  kind=
  if [ "$vendor" = 0x1002 ]; then
    for function in "\${device%.*}".[1-7]; do
      [ -r "$function/vendor" ] && read -r other <"$function/vendor" && [ "$other" = 0x1022 ] && kind=" integrated"
    done
  fi
  echo "\${device##*/} $vendor$kind"
done`;

/**
 * A shell script that wakes AMD GPUs in runtime suspend: the driver resumes a GPU whenever its render node is opened. It waits until they
 * have resumed, at most 3 s. A user who may not open render nodes wakes nothing. `$gpus`: their folders in sysfs; `states` prints the
 * runtime status of each.
 */
const WAKE_SCRIPT = `gpus=
for device in /sys/bus/pci/devices/*; do
  [ -r "$device/class" ] && read -r class <"$device/class" && read -r vendor <"$device/vendor" || continue
  case "$vendor $class" in "0x1002 0x03"*|"0x1002 0x12"*) gpus="$gpus $device";; esac
done
states() {
  for device in $gpus; do
    [ -r "$device/power/runtime_status" ] && read -r state <"$device/power/runtime_status" && echo "\${device##*/} $state"
  done
}
wake() {
  wakers=
  for device in $gpus; do
    read -r state <"$device/power/runtime_status"
    case $state in suspend*) for node in "$device"/drm/renderD*; do (: <"/dev/dri/\${node##*/}") & wakers="$wakers $!"; done;; esac
  done >/dev/null 2>&1
  tries=0
  while [ $tries -lt 30 ]; do
    sleep 0.1
    tries=$((tries + 1))
    case $(states) in *" resuming"*) ;; *" suspend"*) [ $tries -lt 3 ] || break;; *) break;; esac
  done
  kill -9 $wakers 2>/dev/null
}
case $(states) in *" suspend"*) wake;; esac`;

/** Returns a shell script that wakes AMD GPUs, then continues with `script`. */
export function wakeBefore(script: string): string {
  return `${WAKE_SCRIPT}\n${script}`;
}

/** A shell script that wakes AMD GPUs and prints `ADDRESS STATUS` for each; see `parseRuntimeStatus`. */
export const RUNTIME_STATUS_SCRIPT = wakeBefore("states");

/** The GPUs of a vendor on the PCI bus, by address. */
export interface PciBus {
  gpus: string[];
  /** The graphics of a processor, where the node has other GPUs of this vendor; no member of the fleet. */
  integrated: string[];
}

/** Parses the output of `PCI_BUS_SCRIPT`. `members`: PCI addresses that the inventory names, so that they count even if integrated. */
export function parsePciBus(vendor: GpuVendor, { stdout }: ProbeOutput, members: string[] = []): PciBus {
  const rows = stdout
    .split("\n")
    .map((line) => line.trim().split(" "))
    .filter(([pci = "", id]) => id === PCI_VENDOR_IDS[vendor] && isPciAddress(pci))
    .map(([pci = "", , kind]) => ({ pci, isIntegrated: kind === "integrated" && !members.includes(pci) }));
  const areAllIntegrated = rows.every(({ isIntegrated }) => isIntegrated);
  const integrated = areAllIntegrated ? [] : rows.filter(({ isIntegrated }) => isIntegrated).map(({ pci }) => pci);
  return { gpus: rows.map(({ pci }) => pci).filter((pci) => !integrated.includes(pci)), integrated };
}

/** Parses the output of `RUNTIME_STATUS_SCRIPT`: `active`, `suspended`, `error` and so on, by PCI address. */
export function parseRuntimeStatus(output: ProbeOutput | undefined): Map<string, string> {
  const lines = (output?.stdout ?? "").split("\n").map((line) => line.trim().split(" "));
  return new Map(
    lines.flatMap(([pci = "", status, ...rest]): [string, string][] =>
      status !== undefined && rest.length === 0 && isPciAddress(pci) ? [[pci, status]] : [],
    ),
  );
}

function isPciAddress(text: string): boolean {
  return /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(text);
}
