import type { Connection } from "../fleet/connection.js";
import { adviseOnSickGpu } from "../fleet/gpus/gpuadvice.js";
import { expectGpus, findProfileOf, listVendors } from "../fleet/gpus/gpugroups.js";
import { assessGpus, type ExpectedGpus, type GpuHealth } from "../fleet/gpus/gpuhealth.js";
import { fullProbeScripts, GPU_PROBE_TIMEOUT_SECONDS } from "../fleet/gpus/gpuprobe.js";
import type { Node } from "../fleet/node.js";
import { MusterError } from "../schemas/errors.js";
import type { CommandState, Difference, FileState, Playbook, Probe, Resource } from "./engine/resource.js";
import { runProbe } from "./engine/runprobes.js";

/** Checks that every GPU of the inventory is present and healthy, by the same assessment as a run. Drift is only reported. */
const gpu: Playbook = ({ node }) => expectGpus(node).map((want) => gpusResource(want, node));
export default gpu;

/**
 * Checks the GPUs of a node, those of each vendor by its own tools; none where its profile has none. A check that fails is the `toolError`
 * of the result. Rejects with a MusterError (LOST) if the connection is lost.
 */
export async function checkGpus(connection: Connection): Promise<GpuHealth[]> {
  return await Promise.all(expectGpus(connection.node).map((want) => checkVendor(connection, want)));
}

async function checkVendor(connection: Connection, want: ExpectedGpus): Promise<GpuHealth> {
  try {
    return assessAnswers(want, (await runProbe(connection, gpusResource(want, connection.node).probe)) as GpuAnswers);
  } catch (error) {
    if (!(error instanceof MusterError) || error.code === "LOST") throw error;
    return { ...assessGpus(want, [], []), toolError: error.message };
  }
}

/** The node's answers: the PCI bus, the version of ROCm, then the vendor's tools. */
export type GpuAnswers = [bus: CommandState, rocm: FileState, ...tools: CommandState[]];

function gpusResource(want: ExpectedGpus, node: Node): Resource<GpuAnswers> {
  const shell = (script: string): Probe => ({
    ask: "command",
    argv: ["/bin/sh", "-c", script],
    timeout: GPU_PROBE_TIMEOUT_SECONDS,
  });
  const [bus, ...tools] = fullProbeScripts(want.vendor);
  const version: Probe = { ask: "file", path: "/opt/rocm/.info/version", cap: 100 };
  return {
    name: listVendors(node).length > 1 ? `gpus of ${want.vendor}` : "gpus",
    probe: { ask: "all", of: [shell(bus!), version, ...tools.map(shell)] },
    diff: (answers) => diffGpus(want, answers),
    notes: (answers) => noteGpus(want, node, answers),
  };
}

function assessAnswers(want: ExpectedGpus, [bus, , ...tools]: GpuAnswers): GpuHealth {
  return assessGpus(want, [], [bus, ...tools]);
}

/** Pure: lists the sick GPUs and the error of the tool, each in the words of the assessment. */
export function diffGpus(want: ExpectedGpus, answers: GpuAnswers): Difference[] {
  const { sick, toolError, missingTool } = assessAnswers(want, answers);
  const tool = toolError ?? missingTool;
  return [
    ...(tool === undefined ? [] : [splitSentence(tool, "a report")]),
    ...[...sick.values()].map((sentence) => splitSentence(sentence, "healthy")),
  ];
}

/** Splits "GPU 0000:03:00.0: sclk N/A" into what differs and how; the report joins them again. */
function splitSentence(sentence: string, want: string): Difference {
  const at = sentence.indexOf(": ");
  return { what: sentence.slice(0, at), have: sentence.slice(at + 2), want };
}

/** Notes warnings and sleeping GPUs; with a sick GPU also the versions that matter, and the remedies. */
function noteGpus(want: ExpectedGpus, node: Node, answers: GpuAnswers): string[] {
  const { sick, toolError, missingTool, notes, driver } = assessAnswers(want, answers);
  if (sick.size === 0 && toolError === undefined && missingTool === undefined) return notes;
  const [, version] = answers;
  const rocm = version.content === undefined ? undefined : Buffer.from(version.content, "base64").toString().trim();
  const versions = [driver ? `driver ${driver}` : "", rocm ? `ROCm ${rocm}` : ""].filter((one) => one !== "");
  const reasons: [number, string][] = sick.size > 0 ? [...sick] : [[0, ""]];
  const advice = new Set(
    reasons.map(([index, reason]) => adviseOnSickGpu(findProfileOf(node, want.vendor, index), reason)),
  );
  return [...notes, ...(versions.length > 0 ? [versions.join(", ")] : []), ...advice];
}
