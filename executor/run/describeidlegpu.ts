/** "chunk 7: GPU 0000:03:00.0 idle (0 %) for 120 s". */
export function describeIdleGpu(pci: string, seconds: number, chunk: string): string {
  return `chunk ${chunk}: GPU ${pci} idle (0 %) for ${Math.round(seconds)} s`;
}
