import { createHash, createHmac, randomBytes } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join, posix, resolve } from "node:path";
import { listFilesBelow } from "../job/inputs.js";
import type { Job } from "../job/job.js";
import type { Project } from "../job/project/project.js";
import { hashFile, hashInputs, hashStagedFiles } from "../run/record/filehashes.js";
import { readSnapshotContents } from "../run/record/snapshot.js";
import { locateInputs, type OutputPlace } from "./locateinputs.js";
import type { PipelineStep, StepAction } from "./pipeline.js";

/** Identifies what a step would do, to be compared with earlier runs. */
export class StepFingerprint {
  private readonly content: string;

  /** `content` may contain secrets: the values of `env`. */
  constructor(content: object) {
    this.content = JSON.stringify(content);
  }

  /** Returns SALT:HASH (HMAC-SHA256) for a journal. The salt prevents a dictionary attack on secrets that works for all runs at once. */
  toStored(): string {
    const salt = randomBytes(16).toString("hex");
    return `${salt}:${this.hashWith(salt)}`;
  }

  /** Returns whether a stored fingerprint has the same content. Older journals have a SHA-256 hash without a salt. */
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

/**
 * Returns the fingerprint of a job: its file, parameters, and the content of its project, script and inputs. `folder`: of the step.
 * A run that has begun there uses the project as it was then.
 */
export async function fingerprintJob(job: Job, folder: string): Promise<StepFingerprint> {
  const hasBegun = existsSync(join(folder, "journal.ndjson"));
  const current = hasBegun || job.project === undefined ? undefined : await hashProject(job.project);
  const project = readSnapshotContents(folder) ?? current;
  const paths = new Set(project?.map(([path]) => path));
  const isInProject = (path: string) => paths.has(posix.join(job.folders.job, path));
  const inputs = hashInputs(job, await hashStagedFiles(job), isInProject);
  return new StepFingerprint({ identity: job.identity, inputs, project });
}

async function hashProject({ root, files }: Project): Promise<[path: string, content: string][]> {
  const contents: [string, string][] = [];
  for (const { path, target } of files) contents.push([path, target ?? (await hashFile(resolve(root, path))).sha256]);
  return contents;
}

/**
 * Returns the fingerprint of a command: its arguments, the content of the files beside the pipeline that they name, and of its inputs
 * from other steps. Rejects as `locateInputs` does.
 */
export async function fingerprintCommand(
  place: OutputPlace,
  step: PipelineStep,
  action: Extract<StepAction, { kind: "command" }>,
): Promise<StepFingerprint> {
  const literals = action.argv.flatMap((template) =>
    template.length === 1 && typeof template[0] === "string" ? [template[0]] : [],
  );
  const named = literals
    .map((word) => ({ path: word, source: resolve(place.pipeline.folder, word) }))
    .filter(({ source }) => isFile(source));
  const parts = locateInputs(place, step).flatMap((input) => input.parts);
  const inputs = parts.flatMap(({ path, source }) => listFiles(source, path));
  const contents: [string, string][] = [];
  for (const { path: name, source } of [...named, ...inputs]) contents.push([name, (await hashFile(source)).sha256]);
  return new StepFingerprint({ words: action.argv, outputs: action.outputs, files: contents });
}

function listFiles(source: string, path: string): { path: string; source: string }[] {
  if (isFile(source)) return [{ path, source }];
  const found = listFilesBelow(source, path);
  return found.ok ? found.files : [];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
