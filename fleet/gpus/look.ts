import { NVIDIA_FIELDS, parseAmd, parseNvidia, parseRocm, type Shown } from "./smi.js";
import { parseSysfs, SYSFS, SYSFS_MARK } from "./sysfs.js";

/** Seconds that a tool has, and that the kernel has for what needs no tool: a sick card makes both hang. */
export const LOOK_SECONDS = 10;
export const GLANCE_SECONDS = 3;

const TOOLS = "PATH=$PATH:/opt/rocm/bin:/usr/local/bin:/usr/sbin:/sbin";
const VENDORS = { amd: "0x1002", nvidia: "0x10de" } as const;
const PCI_BUS = `for device in /sys/bus/pci/devices/*; do
  [ -r "$device/class" ] && read -r class <"$device/class" && read -r vendor <"$device/vendor" || continue
  case $class in 0x03*) echo "\${device##*/} $vendor";; esac
done`;
/** What the kernel lets us read of the driver's complaints. */
const XIDS = "dmesg 2>/dev/null | grep -F 'NVRM: Xid' | tail -n 100";
const AMD_ONLY = "command -v rocm-smi >/dev/null || exec amd-smi";

export type Vendor = "amd" | "nvidia";

/** What a command answered; `error`: why it has no exit code. */
export interface Said {
  exit: number | null;
  stdout: string;
  stderr: string;
  error?: string;
}

/**
 * Shell scripts that look at all GPUs of a node in a moment: its PCI bus, then what the kernel tells of their clocks. Only AMD's
 * does (else undefined); what it does not tell, or what is not well by it, is for `lookScripts` to find out.
 */
export function glanceScripts(vendor: Vendor): string[] | undefined {
  return vendor === "amd" ? [PCI_BUS, SYSFS] : undefined;
}

/** Shell scripts that look at all GPUs of a node: its PCI bus first, then the tools of the vendor. */
export function lookScripts(vendor: Vendor): string[] {
  const tools =
    vendor === "nvidia"
      ? [`exec nvidia-smi --query-gpu=${NVIDIA_FIELDS.join()} --format=csv,noheader,nounits`, XIDS]
      : [
          "command -v rocm-smi >/dev/null || exit 0; exec rocm-smi --showbus -c -p --showdriverversion --json",
          `${AMD_ONLY} list --json`,
          `${AMD_ONLY} metric -c -l --json`,
        ];
  return [PCI_BUS, ...tools].map((script) => `${TOOLS}; ${script}`);
}

/** What the vendor's tool reports, or what is the matter with it; `missing`: there is no such tool. */
export interface Report {
  tool: string;
  shown?: Shown[];
  problem: string;
  missing: boolean;
}

/** The report in the answers to `lookScripts`, without the first. */
export function reportOf(vendor: Vendor, tools: (Said | undefined)[]): Report {
  const [first, second, third] = tools;
  if (first?.stdout.startsWith(SYSFS_MARK)) return judged("sysfs", [first], parseSysfs(first.stdout));
  if (vendor === "nvidia") return judged("nvidia-smi", [first], parseNvidia(first?.stdout ?? ""));
  const isRocm = first?.error !== undefined || first?.exit !== 0 || first.stdout.trim() !== "";
  if (isRocm) return judged("rocm-smi", [first], parseRocm(first?.stdout ?? ""));
  return judged("amd-smi", [second, third], parseAmd(second?.stdout ?? "", third?.stdout ?? ""));
}

function judged(tool: string, answers: (Said | undefined)[], shown: Shown[] | undefined): Report {
  const bad = answers.find((one) => one?.exit !== 0);
  if (bad === undefined && answers.length > 0 && shown !== undefined)
    return { tool, shown, problem: "", missing: false };
  const said = (bad?.stderr || bad?.stdout || "").trim().split("\n").at(-1)?.slice(0, 200) ?? "";
  if (bad?.exit === 127) return { tool, problem: "is not installed", missing: true };
  if (bad !== undefined) return { tool, problem: bad.error ?? `exit ${bad.exit}: ${said}`, missing: false };
  return { tool, problem: `names no GPU: ${answers[0]?.stdout.trim().slice(0, 200) ?? ""}`, missing: false };
}

/** PCI addresses of the vendor's GPUs in the answer to the first of `lookScripts`. */
export function onBus(vendor: Vendor, bus: Said): string[] {
  const lines = bus.stdout.split("\n").map((line) => line.split(" "));
  return lines.filter(([pci, id]) => id === VENDORS[vendor] && /^[0-9a-f:.]{12}$/.test(pci!)).map(([pci]) => pci!);
}

/** Clocks and perf of a card that is not well, as shown; undefined: it is. */
export function sicknessOf({ clocks, perf, errors }: Shown): string | undefined {
  if (errors > 0) return `${errors} uncorrected memory errors (ECC)`;
  if (perf === "auto" && Object.values(clocks).every((value) => value !== null)) return undefined;
  const values = Object.entries(clocks).map(([name, value]) => `${name} ${value ?? "N/A"}`);
  return [...values, `perf ${perf ?? "unknown"}`].join(", ");
}

/** Cards that NVIDIA's tool has lost, by its complaints: they are on the bus and do not answer. */
export function lostIn(tool: Said | undefined): string[] {
  const said = `${tool?.stdout ?? ""}\n${tool?.stderr ?? ""}`;
  const found = said.matchAll(
    /Unable to determine the device handle for GPU\s?\d*:? ?(?:0000)?([0-9a-f:]{10}\.[0-7])/gi,
  );
  return [...found].map(([, pci = ""]) => pci.toLowerCase());
}

/** What to do about a sick card, in the order that helped. */
export function advice(vendor: Vendor): string {
  const mask = vendor === "amd" ? " check kernel-params (the feature mask);" : "";
  return `in this order: reduce sample_size, not the number of GPUs;${mask} check the clean-up between jobs; reboot it`;
}
