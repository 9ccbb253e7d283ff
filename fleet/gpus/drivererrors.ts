import type { ProbeOutput } from "./probeoutput.js";

/** What an error of NVIDIA's tool says about all GPUs of the node, and what to do. */
export interface DriverError {
  reason: string;
  next: string;
}

/** With these words the tool is certain that no program can use a GPU now. Other errors say nothing about the GPUs. */
const DRIVER_ERRORS: [words: RegExp, error: DriverError][] = [
  [
    /No devices were found/i,
    {
      reason: "the driver finds no GPU (nvidia-smi: No devices were found)",
      next: "reboot the node; if that does not help, check the power supply and the riser, and `dmesg` as root",
    },
  ],
  [
    /Driver\/library version mismatch/i,
    {
      reason:
        "the kernel has another version of the driver than its libraries (nvidia-smi: Driver/library version mismatch)",
      next: "reboot the node, because its driver was updated while it was loaded",
    },
  ],
  [
    /(?:couldn't|could not) communicate with the NVIDIA driver|Driver Not Loaded/i,
    {
      reason: "the driver is not loaded (nvidia-smi cannot communicate with it)",
      next: "run `modprobe nvidia` as root; if there is no such module, install the driver for the kernel that runs",
    },
  ],
  [
    /GPU access blocked by the operating system|Failed to initialize NVML: Unknown Error/i,
    {
      reason: "the system denies access to the GPUs (nvidia-smi: Failed to initialize NVML)",
      next: "restart the container, or check which devices its control group may use",
    },
  ],
];

/** Finds the error by which NVIDIA's tool says that no GPU can be used. undefined: it says no such thing. */
export function findDriverError(tool: ProbeOutput | undefined): DriverError | undefined {
  if (tool === undefined || tool.exit === 0) return undefined;
  const output = `${tool.stdout}\n${tool.stderr}`;
  return DRIVER_ERRORS.find(([words]) => words.test(output))?.[1];
}

/** Finds the PCI addresses of GPUs that nvidia-smi reports as lost: they are on the bus but do not answer. */
export function findLostGpus(tool: ProbeOutput | undefined): string[] {
  const output = `${tool?.stdout ?? ""}\n${tool?.stderr ?? ""}`;
  const matches = output.matchAll(
    /Unable to determine the device handle for GPU\s?\d*:? ?(?:[0-9a-f]{4})?([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])/gi,
  );
  return [...matches].map(([, pci = ""]) => pci.toLowerCase());
}

/** Returns the next action for a GPU that is sick for this reason; undefined where the reason is no error of the driver. */
export function findDriverAdvice(reason: string): string | undefined {
  return DRIVER_ERRORS.find(([, error]) => reason.includes(error.reason))?.[1].next;
}
