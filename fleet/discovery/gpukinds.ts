import type { Gpu } from "../facts.js";

/** GPUs of one model in one node. */
export interface GpuKind {
  vendor: Gpu["vendor"];
  /** As people write it, e.g. `RX 6600`; undefined where the node's tools do not say. */
  model?: string;
  /** Bytes; of the smallest one. */
  vram?: number;
  gpus: readonly Gpu[];
}

/** Returns the kinds of GPU, the most numerous one first. */
export function groupGpus(gpus: readonly Gpu[]): GpuKind[] {
  const groups = new Map<string, Gpu[]>();
  for (const gpu of gpus) {
    const key = `${gpu.vendor} ${shortenModel(gpu.model)}`;
    groups.set(key, [...(groups.get(key) ?? []), gpu]);
  }
  return [...groups.values()].map(describeKind).sort((a, b) => b.gpus.length - a.gpus.length);
}

function describeKind(gpus: Gpu[]): GpuKind {
  const { vendor, model } = gpus[0]!;
  const sizes = gpus.flatMap(({ vram }) => vram ?? []);
  return {
    vendor,
    ...(model === null ? {} : { model: shortenModel(model) }),
    ...(sizes.length === 0 ? {} : { vram: Math.min(...sizes) }),
    gpus,
  };
}

/**
 * Shortens what tools call a model: `NVIDIA GeForce RTX 3080 Ti` is `RTX 3080 Ti`, and `Navi 23 [Radeon RX 6600/6600 XT]` is `RX 6600`.
 * ROCm's tools and PCI's list of names put what the card is sold as into brackets.
 */
export function shortenModel(model: string | null): string {
  const sold = /\[([^\]]+)\]/.exec(model ?? "")?.[1] ?? model ?? "";
  const words = sold.split("/")[0]!.split(/\s+/);
  const isMaker = (word: string) =>
    /^(?:NVIDIA|AMD|Advanced|Micro|Devices,?|Inc\.?|\(TM\)|Radeon|GeForce)$/i.test(word);
  const rest = words.filter((word) => !isMaker(word));
  return (rest.length === 0 ? words : rest).join(" ").trim();
}
