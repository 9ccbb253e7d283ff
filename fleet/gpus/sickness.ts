import type { GpuStatus } from "./gpustatus.js";

/**
 * What each GPU has reported so far, by PCI address: the names of clocks, and `perf`. Each name begins with the tool, because tools differ
 * in what they report.
 */
export type ReportedFields = Map<string, Set<string>>;

/** Adds what the GPUs report now to what they reported before. Pure. */
export function addReportedFields(before: ReportedFields, tool: string, gpus: GpuStatus[]): ReportedFields {
  const fields = new Map(before);
  for (const gpu of gpus) {
    const names = Object.entries(listFields(gpu)).flatMap(([name, value]) =>
      value === null ? [] : [`${tool} ${name}`],
    );
    fields.set(gpu.pci, new Set([...(fields.get(gpu.pci) ?? []), ...names]));
  }
  return fields;
}

/** The kernel sets this status when the driver's attempt to wake a GPU has failed. */
export const RESUME_FAILURE = "it cannot leave runtime suspend (power/runtime_status: error)";

/**
 * Describes why a GPU is sick: its memory errors, or its clocks and performance level. undefined: it is healthy. A value that a GPU has
 * never reported is none of its model (a DGX Spark has no memory clock), but one that it reports no more is a sign of illness. Levels
 * other than `auto` are settings of the owner. `runtimeStatus`: what the kernel says about its power, where it says so.
 */
export function describeSickness(
  gpu: GpuStatus,
  tool: string,
  reported: ReportedFields,
  runtimeStatus: string | undefined,
): string | undefined {
  if (gpu.failure !== undefined) return gpu.failure;
  if (gpu.errors > 0) return `${gpu.errors} uncorrected memory errors (ECC)`;
  if (isAsleep(runtimeStatus)) return undefined;
  const fields = listFields(gpu);
  const isSilent = Object.values(fields).every((value) => value === null);
  if (runtimeStatus === "error" && (isSilent || gpu.isUnreadable)) return RESUME_FAILURE;
  const before = reported.get(gpu.pci);
  const isSilenced = Object.entries(fields).some(([name, value]) => value === null && before?.has(`${tool} ${name}`));
  if (!gpu.isUnreadable && !isSilenced) return undefined;
  const values = Object.entries(gpu.clocks).map(([name, value]) => `${name} ${value ?? "N/A"}`);
  return [...values, `perf ${gpu.perf ?? "unknown"}`].join(", ");
}

/** Whether the kernel has put a GPU to sleep until a program uses it. Its tools report nothing then. */
export function isAsleep(runtimeStatus: string | undefined): boolean {
  return runtimeStatus === "suspended" || runtimeStatus === "suspending";
}

function listFields({ clocks, perf }: GpuStatus): Record<string, string | null> {
  return { ...clocks, perf };
}
