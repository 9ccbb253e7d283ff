import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ExpectedGpus } from "../../../fleet/gpus/gpuhealth.js";
import type { GpuVendor, ProbeOutput } from "../../../fleet/gpus/probeoutput.js";
import { projectRoot } from "../../lab/project.js";

/** What the tools of a real node printed, and what is to be concluded; see captures/README.md. */
export interface Capture {
  id: string;
  vendor: GpuVendor;
  /** The PCI addresses of the GPUs that a check has seen before. */
  known: string[];
  count: number | null;
  addresses: string[];
  /** Of the scripts that check GPUs, in their order. */
  answers: ProbeOutput[];
  /** Of the program that gathers facts: tool, exit code, stdout and stderr. */
  facts: [tool: string, exit: number, stdout: string, stderr: string] | null;
  /** `sick`: GPU indices. `trouble`: a regular expression for the error of the tool; null: it has none. */
  expect: { sick: number[]; trouble?: string | null };
}

/** What `power/runtime_status` of the GPUs holds after an attempt to wake them, where a capture's note says so. */
const RUNTIME_STATUS: Record<string, string> = {
  "amd-14-w7900-asleep": "0000:03:00.0 suspended\n0000:83:00.0 suspended\n",
};

/** Reads all captures, with the answers about runtime status. */
export function readCaptures(): Capture[] {
  const folder = join(projectRoot(), "test/fleet/gpus/captures");
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return files.sort().map((name) => {
    const capture = JSON.parse(readFileSync(join(folder, name), "utf8")) as Capture;
    const status = RUNTIME_STATUS[capture.id];
    const more = status === undefined ? [] : [{ exit: 0, stdout: status, stderr: "" }];
    return { ...capture, answers: [...capture.answers, ...more] };
  });
}

/** Returns what an inventory expects of the node of a capture. */
export function expectedGpus({ vendor, count, addresses }: Capture): ExpectedGpus {
  return { vendor, count: count ?? undefined, addresses };
}
