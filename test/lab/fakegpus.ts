/** What the fake smi tools of a node read (fakes/fake_gpus.py); change it on a running node with `node.setGpus`. */
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
  /** Watts of a card; otherwise 98.4 (AMD) and 21.47 (NVIDIA). */
  watts?: Record<number, number>;
  /** Cards whose clocks are held down because they are too hot. */
  hot?: number[];
  /** A process that holds memory of a card. */
  holders?: Record<number, number>;
  /** NVIDIA's cards beside those of AMD; their addresses come after these. */
  nvidia?: Omit<GpuSetup, "vendor" | "nvidia">;
  /** The tool of NVIDIA does not know the field that says why clocks are held down. */
  old?: true;
  /** The tools never answer, or print what is no report. */
  tools?: "hang" | "garbage" | "fail";
  /** nvidia-smi never returns when it sets something, or says of limits and clocks that it cannot, and exits with 0. */
  setting?: "hang" | "unsupported";
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

/** The folder of card `index` in sysfs, as a path on the node. */
export function deviceFolder(index: number): string {
  return `sys/devices/pci0000:00/${pciAddress(index)}`;
}

/** The driver's table gpu_metrics v1.3, of which only the throttling is filled in: by the hottest place of the card. */
function gpuMetrics(isHot: boolean): string {
  const table = Buffer.alloc(120);
  table.writeUInt16LE(table.length, 0);
  table.writeUInt8(1, 2);
  table.writeUInt8(3, 3);
  table.writeBigUInt64LE(isHot ? 1n << 36n : 0n, 112);
  return table.toString("latin1");
}

function listIndexes(count = 0): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** What an AMD card is set to when its driver is loaded. */
const BOOT_SETTINGS: Readonly<Record<string, string>> = {
  "hwmon/hwmon3/power1_cap": "100000000\n",
  "hwmon/hwmon3/power1_cap_min": "60000000\n",
  "hwmon/hwmon3/power1_cap_max": "120000000\n",
  "hwmon/hwmon3/pwm1_enable": "2\n",
  "hwmon/hwmon3/pwm1": "51\n",
  pp_od_clk_voltage:
    "OD_SCLK:\n0: 500Mhz\n1: 2750Mhz\nOD_MCLK:\n0: 97Mhz\n1: 875MHz\nOD_VDDGFX_OFFSET:\n0mV\nOD_RANGE:\nSCLK:     500Mhz       2800Mhz\nMCLK:     674Mhz       1075Mhz\n",
};

/**
 * Files of sysfs that say how AMD's cards are, those that hold their settings since boot, and which cards are on the bus (without `to` it is
 * not), as paths on the node.
 */
export function sysfsState(gpus: GpuSetup): {
  files: [path: string, text: string][];
  settings: [path: string, text: string][];
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
      "hwmon/hwmon3/power1_average": `${(gpus.watts?.[index] ?? 98.4) * 1e6}\n`,
      "hwmon/hwmon3/temp1_input": "61200\n",
      "hwmon/hwmon3/temp2_input": "75000\n",
      "hwmon/hwmon3/temp3_input": "80000\n",
      "hwmon/hwmon3/freq1_input": "2359000000\n",
      "hwmon/hwmon3/freq2_input": "875000000\n",
      gpu_metrics: gpuMetrics(gpus.hot?.includes(index) ?? false),
      gpu_busy_percent: `${gpus.busy?.[index] ?? 0}\n`,
    };
    return Object.entries(texts).map(([name, text]) => [`${deviceFolder(index)}/${name}`, text]);
  });
  const settings = indexes.flatMap((index) =>
    Object.entries(BOOT_SETTINGS).map(([name, text]): [string, string] => [`${deviceFolder(index)}/${name}`, text]),
  );
  return gpus.vendor === "amd" ? { files, settings, links } : { files: [], settings: [], links };
}
