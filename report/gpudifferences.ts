import type { Difference } from "../playbooks/engine/resource.js";
import { TERMINAL_COLUMNS } from "./columns.js";
import { indentLines, pluralize, wrapText } from "./format.js";

const GPU = /^GPU ([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) (.+)$/;

/** GPUs that differ in the same way, and how: a line for each setting. */
interface AlikeGpus {
  addresses: string[];
  lines: string[];
}

/** Splits differences into those of GPUs, which are grouped where GPUs differ alike, and the others. */
export function groupGpuDifferences(differences: readonly Difference[]): { gpus: string[]; others: Difference[] } {
  const byGpu = new Map<string, string[]>();
  const others: Difference[] = [];
  for (const difference of differences) {
    const [, address, setting] = GPU.exec(difference.what) ?? [];
    if (address === undefined || difference.diff !== undefined) others.push(difference);
    else {
      const line = `${setting}: ${difference.have}; wanted: ${difference.want}`;
      byGpu.set(address, [...(byGpu.get(address) ?? []), line]);
    }
  }
  const groups = new Map<string, AlikeGpus>();
  for (const [address, lines] of byGpu) {
    const key = JSON.stringify(lines);
    const addresses = [...(groups.get(key)?.addresses ?? []), address];
    groups.set(key, { addresses, lines });
  }
  return { gpus: [...groups.values()].flatMap(formatGroup), others };
}

function formatGroup({ addresses, lines }: AlikeGpus): string[] {
  const [only, ...more] = addresses;
  if (more.length === 0) return lines.flatMap((line) => indentLines(`GPU ${only} ${line}`));
  const head = indentLines(`${pluralize(addresses.length, "GPU")}: ${addresses.join(", ")}`);
  return [...head, ...lines.flatMap((line) => wrapText(line, "      ", TERMINAL_COLUMNS))];
}
