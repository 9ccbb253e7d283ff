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
  const amd = gpus.vendor === "amd";
  const ids = amd ? `0x1002 ${RX_6600.device} ${gpus.vram}` : `0x10de ${RTX_3080_TI.device} 0`;
  return Array.from({ length: gpus.count }, (_, index) => `${pciAddress(index)} ${ids}`).join("\n");
}
