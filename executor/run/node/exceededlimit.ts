import { type GpuDescription, listProfiles } from "../../../fleet/gpus/gpugroups.js";
import type { Params } from "../../job/chunk.js";

/**
 * Pure: returns which parameter of a chunk exceeds the `max` that a profile of the node has for it; undefined where none does. Parameters of
 * tasks that are added while a run goes are known only then.
 */
export function findExceededLimit(node: GpuDescription, params: Params): string | undefined {
  for (const { name: profile, limits } of listProfiles(node))
    for (const [name, { max }] of Object.entries(limits)) {
      const value = Number(params[name]);
      if (max !== undefined && value > max)
        return `not started: ${name} is ${value}, and profile ${profile} has a limit of ${max}`;
    }
  return undefined;
}
