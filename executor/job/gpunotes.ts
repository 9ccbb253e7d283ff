import type { JobReader, SourceText } from "./reader.js";

const DEVICE = /(?<![A-Za-z0-9_])(cuda|hip):\{(gpus?)\}/i;

/**
 * Notes the first argument such as `cuda:{gpu}`, which names a device that its program does not see: the GPU of the slot is
 * device 0 there. Jobs that use no GPUs have no such note.
 */
export function noteGpuDevice(reader: JobReader, { text, position }: SourceText, what: string): void {
  if (!text.includes(":{gpu")) return;
  const [, device, name] = DEVICE.exec(text) ?? [];
  if (device === undefined || reader.text(["needs", "vendor"]) === "none") return;
  const place = position.line === undefined ? "" : ` (line ${position.line})`;
  const [own, reason] =
    name === "gpus"
      ? ["0,1", "each program sees only its own GPUs, as devices 0, 1 and so on"]
      : ["0", "each program sees only the GPU of its slot, as device 0"];
  reader.noteOnce(
    "gpu device",
    `${what}${place}: write ${device}:${own} instead of ${device}:{${name}}, because ${reason}.`,
  );
}
