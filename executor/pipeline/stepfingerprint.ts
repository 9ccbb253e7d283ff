import { createHash, createHmac, randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { listFilesBelow } from "../job/inputs.js";
import type { Job } from "../job/job.js";
import { hashFile, hashStagedFiles, inputHashes } from "../run/node/filehashes.js";
import { locateInputs } from "./commandstep.js";
import type { Pipeline, PipelineStep, StepAction } from "./pipeline.js";

/** What a step would do, to be compared with what it did in earlier runs. */
export class StepFingerprint {
  private readonly content: string;

  /** `content` may hold secrets: values of `env`. */
  constructor(content: object) {
    this.content = JSON.stringify(content);
  }

  /** What a journal keeps of it: SALT:HASH, so that no secret can be guessed by hashing what it might be, once for all runs. */
  toStored(): string {
    const salt = randomBytes(16).toString("hex");
    return `${salt}:${this.hashWith(salt)}`;
  }

  /** Whether a journal keeps one of the same content. Older journals keep a hash without a salt. */
  matches(stored: string | undefined): boolean {
    if (stored === undefined) return false;
    const [salt = "", hash] = stored.split(":");
    return hash === undefined
      ? stored === createHash("sha256").update(this.content).digest("hex")
      : hash === this.hashWith(salt);
  }

  private hashWith(salt: string): string {
    return createHmac("sha256", salt).update(this.content).digest("hex");
  }
}

/** Of what a job would compute: its file, parameters, script, and the content of its inputs. */
export async function fingerprintJob(job: Job): Promise<StepFingerprint> {
  return new StepFingerprint({ identity: job.identity, inputs: inputHashes(job, await hashStagedFiles(job)) });
}

/**
 * Of what a command would do: its words, the content of the files beside the pipeline that they name, and of what it
 * takes from other steps, as that lies in the run directory `path`.
 */
export async function fingerprintCommand(
  pipeline: Pipeline,
  step: PipelineStep,
  work: Extract<StepAction, { kind: "command" }>,
  path: string,
): Promise<StepFingerprint> {
  const literal = work.argv.flatMap((word) => (word.length === 1 && typeof word[0] === "string" ? [word[0]] : []));
  const named = literal
    .map((word) => ({ path: word, source: resolve(pipeline.folder, word) }))
    .filter(({ source }) => isFile(source));
  const taken = locateInputs(step.inputs, path).flatMap(({ path: name, source }) => listFiles(source, name));
  const contents: [string, string][] = [];
  for (const { path: name, source } of [...named, ...taken]) contents.push([name, (await hashFile(source)).sha256]);
  return new StepFingerprint({ words: work.argv, outputs: work.outputs, files: contents });
}

function listFiles(source: string, path: string): { path: string; source: string }[] {
  if (isFile(source)) return [{ path, source }];
  const found = listFilesBelow(source, path);
  return found.ok ? found.files : [];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
