/** Formats a size with one decimal: "512 B", "31.2 GiB". */
export function formatBytes(value: number): string {
  const steps = Math.min(4, Math.floor(Math.log2(Math.max(1, value)) / 10));
  return steps === 0 ? `${value} B` : `${(value / 1024 ** steps).toFixed(1)} ${"KMGT"[steps - 1]}iB`;
}

/** Formats two sizes of which one is too large for the other: exactly, where they would look alike. */
export function formatUnequalBytes(one: number, other: number): [one: string, other: string] {
  const texts: [string, string] = [formatBytes(one), formatBytes(other)];
  return texts[0] === texts[1] ? [`${one} B`, `${other} B`] : texts;
}
