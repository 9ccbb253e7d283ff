import type { StateSettings, Template } from "./job.js";
import { readByteCount, readSeconds } from "./jobsettings.js";
import type { JobReader, KeyPath } from "./reader.js";

const DEFAULT_STATE_SECONDS = 600;
const DEFAULT_STATE_BYTES = 2 ** 30;

/** Reads `state` at `path`: of the job, or of one of its tasks, which has that of the job by default. Problems are reported. */
export function readState(
  reader: JobReader,
  path: KeyPath,
  inherited: StateSettings | undefined,
): StateSettings | undefined {
  const value = reader.source.get([...path, "state"]);
  if (value === undefined) return inherited;
  if (value !== true) return undefined;
  if (path.length === 0) checkChunks(reader);
  return {
    every: readSeconds(reader, ["state_every"]) ?? DEFAULT_STATE_SECONDS,
    limit: readByteCount(reader, ["limits", "state"]) ?? DEFAULT_STATE_BYTES,
  };
}

/** Reports args that name the folder of a state that the program does not have. A matrix key or a parameter of that name means something else. */
export function checkStateArgs(reader: JobReader, path: KeyPath, args: readonly Template[], hasState: boolean): void {
  if (
    hasState ||
    !args.some((template) => template.some((piece) => typeof piece !== "string" && piece.name === "state"))
  )
    return;
  if (["matrix", "params"].some((where) => reader.keys([where]).includes("state"))) return;
  const key = reader.has([...path, "args"]) ? "args" : "command";
  reader.reportAt([...path, key], `${key}: {state} is used, but the job keeps no state`, "add state: true");
}

/** A resumed run cuts the range again: only chunks of a fixed size are the same ones then. */
function checkChunks(reader: JobReader): void {
  if (!reader.has(["range"]) || reader.number(["chunk"]) !== undefined) return;
  const message = "state: chunks of a range must have a fixed size, so that a resumed run finds the state of each";
  reader.reportAt(["state"], message, "e.g. chunk: 100000");
}
