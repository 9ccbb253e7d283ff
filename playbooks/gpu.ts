import type { Connection } from "../fleet/connection.js";
import { adviseOnSickGpu } from "../fleet/gpus/gpuadvice.js";
import { assessGpus, type ExpectedGpus, type GpuHealth } from "../fleet/gpus/gpuhealth.js";
import { fullProbeScripts, GPU_PROBE_TIMEOUT_SECONDS } from "../fleet/gpus/gpuprobe.js";
import type { Node, Profile } from "../fleet/node.js";
import { MusterError } from "../schemas/errors.js";
import type { CommandState, Difference, FileState, Playbook, Probe, Resource } from "./engine/resource.js";
import { runProbe } from "./engine/runprobes.js";

/** Checks that every GPU of the inventory is present and healthy, by the same assessment as a run. Drift is only reported. */
const gpu: Playbook = ({ node }) => {
  const want = describeExpectedGpus(node);
  return want === undefined ? [] : [gpusResource(want, node.profile)];
};
export default gpu;

/**
 * Checks the GPUs of a node. undefined: its profile has none. A check that fails is the `toolError` of the result. Rejects with a MusterError
 * (LOST) if the connection is lost.
 */
export async function checkGpus(connection: Connection): Promise<GpuHealth | undefined> {
  const want = describeExpectedGpus(connection.node);
  if (want === undefined) return undefined;
  try {
    return assessAnswers(
      want,
      (await runProbe(connection, gpusResource(want, connection.node.profile).probe)) as GpuAnswers,
    );
  } catch (error) {
    if (!(error instanceof MusterError) || error.code === "LOST") throw error;
    return { ...assessGpus(want, [], []), toolError: error.message };
  }
}

function describeExpectedGpus(node: Node): ExpectedGpus | undefined {
  const { vendor } = node.profile;
  return vendor === "none" ? undefined : { vendor, count: node.gpus, addresses: node.pci ?? [] };
}

/** The node's answers: the PCI bus, the version of ROCm, then the vendor's tools. */
export type GpuAnswers = [bus: CommandState, rocm: FileState, ...tools: CommandState[]];

function gpusResource(want: ExpectedGpus, profile: Profile): Resource<GpuAnswers> {
  const shell = (script: string): Probe => ({
    ask: "command",
    argv: ["/bin/sh", "-c", script],
    timeout: GPU_PROBE_TIMEOUT_SECONDS,
  });
  const [bus, ...tools] = fullProbeScripts(want.vendor);
  const version: Probe = { ask: "file", path: "/opt/rocm/.info/version", cap: 100 };
  return {
    name: "gpus",
    probe: { ask: "all", of: [shell(bus!), version, ...tools.map(shell)] },
    diff: (answers) => diffGpus(want, answers),
    notes: (answers) => noteGpus(want, profile, answers),
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
function noteGpus(want: ExpectedGpus, profile: Profile, answers: GpuAnswers): string[] {
  const { sick, toolError, missingTool, notes, driver } = assessAnswers(want, answers);
  if (sick.size === 0 && toolError === undefined && missingTool === undefined) return notes;
  const [, version] = answers;
  const rocm = version.content === undefined ? undefined : Buffer.from(version.content, "base64").toString().trim();
  const versions = [driver ? `driver ${driver}` : "", rocm ? `ROCm ${rocm}` : ""].filter((one) => one !== "");
  const reasons = sick.size > 0 ? [...sick.values()] : [""];
  const advice = new Set(reasons.map((reason) => adviseOnSickGpu(profile, reason)));
  return [...notes, ...(versions.length > 0 ? [versions.join(", ")] : []), ...advice];
}
