import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { filesBelow } from "../job/inputs.js";
import type { Job } from "../job/job.js";
import { fingerprints, hashFiles } from "../run/hashes.js";
import { inputsOf } from "./command.js";
import type { Pipeline, Step, StepWork } from "./pipeline.js";

/** A name for what a job would compute: its file, parameters, script, and the content of its inputs. */
export async function jobFingerprint(job: Job): Promise<string> {
  return digest({ identity: job.identity, inputs: fingerprints(job, await hashFiles(job)) });
}

/**
 * A name for what a command would do: its words, the content of the files beside the pipeline that they name, and of what it
 * takes from other steps, as that lies in the run directory `path`.
 */
export function commandFingerprint(
  pipeline: Pipeline,
  step: Step,
  work: Extract<StepWork, { kind: "command" }>,
  path: string,
): string {
  const literal = work.words.flatMap((word) => (word.length === 1 && typeof word[0] === "string" ? [word[0]] : []));
  const named = literal.filter((word) => isFile(resolve(pipeline.folder, word)));
  const taken = inputsOf(step.feeds, path).flatMap(({ path: name, source }) => filesOf(source, name));
  return digest({
    words: work.words,
    outputs: work.outputs,
    files: named.map((word) => [word, hashOf(resolve(pipeline.folder, word))]),
    inputs: taken.map((file) => [file.path, hashOf(file.source)]),
  });
}

function filesOf(source: string, path: string): { path: string; source: string }[] {
  if (isFile(source)) return [{ path, source }];
  const found = filesBelow(source, path);
  return found.ok ? found.files : [];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function hashOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
