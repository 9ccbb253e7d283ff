/** The state of a GPU as its vendor's tool reports it. `clocks`, `perf`: as printed; null: not reported. */
export interface GpuStatus {
  pci: string;
  clocks: Record<string, string | null>;
  perf: string | null;
  driver: string | null;
  /** Uncorrected memory errors since the driver was loaded; 0 if the tool does not report them. */
  errors: number;
  /** The tool says that the driver cannot use the GPU: why. */
  failure?: string;
  /** The tool tried to read a clock or the performance level and failed. */
  isUnreadable: boolean;
}

/** The text of a value, at most 60 characters; null for the various spellings of "not reported", and for errors. */
export function parseCell(value: unknown): string | null {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string") return null;
  const text = value.trim();
  const isUnknown =
    /^\[?(n\/a|none|unknown|unknown error|not supported|not found|function not found|insufficient permissions|err!|gpu is lost|gpu requires reset|reset required|requested functionality has been deprecated|)\]?$/i.test(
      text,
    );
  return isUnknown ? null : text.slice(0, 60);
}

/** Converts an address to domain:bus:device.function as the kernel writes it; nvidia-smi prints eight digits of domain. */
export function normalizePciAddress(value: unknown): string | undefined {
  const parts = /^(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/i.exec(String(value));
  return parts?.[1]?.toLowerCase();
}
