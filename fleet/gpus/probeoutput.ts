export type GpuVendor = "amd" | "nvidia";

/** The exit code and output of a probe command; `error`: why it has no exit code. */
export interface ProbeOutput {
  exit: number | null;
  stdout: string;
  stderr: string;
  error?: string;
}
