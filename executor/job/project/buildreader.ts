import { lstatSync } from "node:fs";
import { join } from "node:path";
import { normalizePath } from "../inputs.js";
import { readSeconds } from "../jobsettings.js";
import { parentFolders } from "../outputregistry.js";
import type { JobReader, SourceText } from "../reader.js";
import { checkArgument, readEnv } from "../specreader.js";
import type { UnitSpace } from "../unitspace.js";
import type { BuildSpec } from "./buildspec.js";

const DEFAULT_TIMEOUT_SECONDS = 1800;

/** Reads `build`; undefined where a job has none. Reports outputs that are not in the working directory, or not the build's alone. */
export function readBuild(reader: JobReader, space: UnitSpace): BuildSpec | undefined {
  if (!reader.has(["build"])) return undefined;
  const command = reader.list(["build", "command"]) ?? [];
  for (const [index, word] of command.entries()) checkArgument(reader, word, `build.command[${index}]`);
  if (command[0]?.text === "") reader.report(command[0].position, "build.command[0] is empty", "name a program");
  return {
    command: command.map(({ text }) => text),
    outputs: readOutputs(reader, space),
    env: { ...readEnv(reader, ["env"]), ...readEnv(reader, ["build", "env"]) },
    timeoutSeconds: readSeconds(reader, ["build", "timeout"]) ?? DEFAULT_TIMEOUT_SECONDS,
    isPerGpu: reader.text(["build", "per"]) === "gpu",
  };
}

/** Returns the outputs that are files in the folder `cwd` (absolute) on this machine: what was built here must not be copied to nodes. */
export function listLocalOutputs({ outputs }: BuildSpec, cwd: string): string[] {
  return outputs.filter((path) => isFile(join(cwd, path)));
}

function isFile(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
  } catch {
    return false; // a part of its path is a file, or may not be looked at
  }
}

function readOutputs(reader: JobReader, space: UnitSpace): string[] {
  const jobOutputs = new Set<string>();
  for (const { outputs } of space.outputs) for (const path of outputs) jobOutputs.add(path);
  const found = new Set<string>();
  for (const [index, one] of (reader.list(["build", "outputs"]) ?? []).entries()) {
    const path = readOutput(reader, one, `build.outputs[${index}]`);
    if (path === undefined) continue;
    if (found.has(path)) reader.report(one.position, `build.outputs[${index}]: "${one.text}" appears twice`);
    found.add(path);
    const output = [path, ...parentFolders(path)].find((folder) => jobOutputs.has(folder));
    if (output !== undefined)
      reader.report(
        one.position,
        `build.outputs[${index}]: the chunks of the job write "${output}"`,
        "remove it here, or give one of them another name",
      );
  }
  return [...found];
}

function readOutput(reader: JobReader, { text, position }: SourceText, what: string): string | undefined {
  const found = normalizePath(text);
  const fault = found.ok ? undefined : found.message;
  const path = found.ok ? found.path.replace(/\/$/, "") : "";
  if (fault === undefined && path !== "." && path !== "") return path;
  const why = fault ?? "is the working directory itself";
  reader.report(position, `${what}: "${text}" ${why}`, "name files or folders below the working directory");
  return undefined;
}
