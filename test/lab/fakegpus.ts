/** What the fake smi tools of a node read (fakes/gpus.py); change it on a running node with `node.setGpus`. */
export interface GpuSetup {
  vendor: "amd" | "nvidia";
  model: string;
  count: number;
  /** Bytes of one card. */
  vram: number;
  /** How the tools spell their output. */
  release: SmiRelease;
  /** Cards that show `N/A` clocks and Perf `unknown`. */
  sick?: number[];
  /** Cards that are not on the bus any more. */
  absent?: number[];
  /** Cards that are on the bus, and that NVIDIA's driver has lost. */
  lost?: number[];
  /** Memory errors of a card that could not be corrected (NVIDIA). */
  errors?: Record<number, number>;
  /** MiB of a card's memory that are taken. */
  used?: Record<number, number>;
  /** Percent of the time that a card computes; otherwise 0. */
  busy?: Record<number, number>;
  /** A process that holds memory of a card. */
  holders?: Record<number, number>;
  /** NVIDIA's cards beside those of AMD; their addresses come after these. */
  nvidia?: Omit<GpuSetup, "vendor" | "nvidia">;
  /** The tools never answer, or print what is no report. */
  tools?: "hang" | "garbage" | "fail";
}

export type SmiRelease = "rocm5" | "rocm6" | "rocm7" | "nvidia";

export const RX_6600 = { vendor: "amd", model: "RX 6600", vram: 8 * 1024 ** 3, device: "0x73ff" } as const;
export const RTX_3080_TI = { vendor: "nvidia", model: "RTX 3080 Ti", vram: 12 * 1024 ** 3, device: "0x2208" } as const;

/** The PCI address of card `index`: one card a riser, as on a mining board. Fakes use the same numbers. */
export function pciAddress(index: number): string {
  return `0000:${(3 + 3 * index).toString(16).padStart(2, "0")}:00.0`;
}

/** One line a card for boot.sh: address, PCI vendor, PCI device, bytes of memory that sysfs tells (NVIDIA's does not). */
export function sysfsCards(gpus: GpuSetup | undefined): string {
  if (gpus === undefined) return "";
  const ids = { amd: `0x1002 ${RX_6600.device} ${gpus.vram}`, nvidia: `0x10de ${RTX_3080_TI.device} 0` };
  const own = listIndexes(gpus.count).map((index) => `${pciAddress(index)} ${ids[gpus.vendor]}`);
  const others = listIndexes(gpus.nvidia?.count).map((index) => `${pciAddress(gpus.count + index)} ${ids.nvidia}`);
  return [...own, ...others].join("\n");
}

function listIndexes(count = 0): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Files of sysfs that say how AMD's cards are, and which are on the bus (without `to` it is not), as paths on the node. */
export function sysfsState(gpus: GpuSetup): {
  files: [path: string, text: string][];
  links: [path: string, to?: string][];
} {
  const indexes = listIndexes(gpus.count);
  const linkTo = (address: string, isAbsent = false): [string, string?] => {
    return [`sys/bus/pci/devices/${address}`, isAbsent ? undefined : `../../../devices/pci0000:00/${address}`];
  };
  const { nvidia } = gpus;
  const links = [
    ...indexes.map((index) => linkTo(pciAddress(index), gpus.absent?.includes(index))),
    ...listIndexes(nvidia?.count).map((n) => linkTo(pciAddress(gpus.count + n), nvidia?.absent?.includes(n))),
  ];
  const files = indexes.flatMap((index): [string, string][] => {
    const sick = gpus.sick?.includes(index) ?? false;
    const used = ((gpus.used?.[index] ?? 6) * 1024 ** 2).toString();
    const texts = {
      pp_dpm_sclk: sick ? "" : "0: 500Mhz\n1: 700Mhz *\n2: 2750Mhz\n",
      pp_dpm_mclk: sick ? "" : "0: 96Mhz *\n1: 875Mhz\n",
      power_dpm_force_performance_level: sick ? "unknown\n" : "auto\n",
      mem_info_vram_used: `${used}\n`,
      "hwmon/hwmon3/power1_average": "98400000\n",
      "hwmon/hwmon3/temp1_input": "61200\n",
      gpu_busy_percent: `${gpus.busy?.[index] ?? 0}\n`,
    };
    return Object.entries(texts).map(([name, text]) => [`sys/devices/pci0000:00/${pciAddress(index)}/${name}`, text]);
  });
  return { files: gpus.vendor === "amd" ? files : [], links };
}
