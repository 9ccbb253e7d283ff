import { PCI_BUS_SCRIPT, PCI_VENDOR_IDS, RUNTIME_STATUS_SCRIPT, wakeBefore } from "../../fleet/gpus/pcibus.js";
import type { GpuVendor } from "../../fleet/gpus/probeoutput.js";
import { gpuStepsSource } from "../../templates/nodeprograms.js";
import { type CardStep, STEP_TIMEOUT_SECONDS } from "./cardsteps.js";

/** Returns the argv that performs these steps on every GPU of a vendor. AMD's are woken first, and their runtime status is printed. */
export function readingCommand(vendor: GpuVendor, python: string, steps: readonly CardStep[]): string[] {
  const bus = `{ ${PCI_BUS_SCRIPT}\n} | "$@"`;
  const script = vendor === "amd" ? `${RUNTIME_STATUS_SCRIPT}\n${bus}` : bus;
  return withProgram(script, python, { vendor: PCI_VENDOR_IDS[vendor], every: steps, stops: false });
}

/** Returns the argv that performs the steps of each GPU, by PCI address, up to the first one that fails. AMD's GPUs are woken first. */
export function changingCommand(
  vendor: GpuVendor,
  python: string,
  steps: ReadonlyMap<string, readonly CardStep[]>,
): string[] {
  const script = vendor === "amd" ? wakeBefore('exec "$@"') : 'exec "$@"';
  return withProgram(script, python, { cards: Object.fromEntries(steps), stops: true });
}

/** The script has the program as its arguments. */
function withProgram(script: string, python: string, request: object): string[] {
  const words = JSON.stringify({ ...request, seconds: STEP_TIMEOUT_SECONDS });
  return ["/bin/sh", "-c", script, "sh", python, "-IS", "-c", gpuStepsSource(), words];
}
