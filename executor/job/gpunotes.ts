import type { JobReader, SourceText } from "./reader.js";

const DEVICE = /(?<![A-Za-z0-9_])(cuda|hip):\{gpu\}/i;

/**
 * Notes the first argument such as `cuda:{gpu}`, which names a device that its program does not see: the GPU of the slot is
 * device 0 there. Jobs that use no GPUs have no such note.
 */
export function noteGpuDevice(reader: JobReader, { text, position }: SourceText, what: string): void {
  if (!text.includes(":{gpu}")) return;
  const device = DEVICE.exec(text)?.[1];
  if (device === undefined || reader.text(["needs", "vendor"]) === "none") return;
  const place = position.line === undefined ? "" : ` (line ${position.line})`;
  const reason = "each program sees only the GPU of its slot, as device 0";
  reader.noteOnce("gpu device", `${what}${place}: write ${device}:0 instead of ${device}:{gpu}, because ${reason}.`);
}
