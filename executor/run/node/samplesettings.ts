import type { Node } from "../../../fleet/node.js";
import type { OpenCommand } from "../agent/protocol.js";

/** How long a GPU computes nothing in a running chunk until people are told. */
const IDLE_SECONDS = 120;

/** Returns how the agent of a node looks at GPUs while chunks use them; undefined = not at all. */
export function describeSampling({ gpuSampleSeconds }: Node): OpenCommand["samples"] {
  return gpuSampleSeconds === 0 ? undefined : { every: gpuSampleSeconds, idle: IDLE_SECONDS };
}
