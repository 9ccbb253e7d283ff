import { resolve } from "node:path";
import { listProgramFolders } from "../executor/job/askprogram.js";
import type { Job } from "../executor/job/job.js";
import { loadJob } from "../executor/job/loadjob.js";
import { findInventory, type Inventory, loadInventory } from "../fleet/inventory.js";
import { checkProfileLimits } from "../launch/checkprofilelimits.js";
import { pluralize } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import { formatProblem, InvalidFileError, type Problem } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { detectFileKind } from "../schemas/filekind.js";
import { readSource } from "../schemas/parsesource.js";
import { noteUnrunnableJobs } from "./jobplan.js";
import type { CommonOptions } from "./options.js";

/** The result of checking one file. */
type FileVerdict =
  | { file: string; ok: true; kind: string; detail: string; notes: string[] }
  | { file: string; ok: false; problems: Problem[] };

/**
 * `muster validate FILE...`: prints what each file is, or all of its problems. It opens no connection. Returns 0, or 65 where a file is
 * invalid.
 */
export async function validate(files: string[], options: CommonOptions, writers: Writers): Promise<number> {
  let found: { inventory: Inventory | undefined } | undefined;
  const verdicts = await Promise.all(
    files.map((file) =>
      validateFile(file, () => {
        // The file itself is not an inventory for its own check.
        const others = files.filter((other) => other !== file);
        found ??= { inventory: findInventoryFor(others, options) };
        return found.inventory;
      }),
    ),
  );
  if (options.json) writers.out(formatJson(verdicts, 2));
  else for (const verdict of verdicts) printVerdict(verdict, options, writers);
  return verdicts.every(({ ok }) => ok) ? 0 : 65;
}

async function validateFile(file: string, inventory: () => Inventory | undefined): Promise<FileVerdict> {
  try {
    const source = readSource(file);
    const kind = detectFileKind(source);
    switch (kind) {
      case "inventory": {
        const loaded = loadInventory(file);
        const { readEnvRequirements } = await import("../playbooks/pythonenv/requirements.js");
        for (const env of Object.values(loaded.pythonEnvs)) readEnvRequirements(env);
        const clusters = loaded.clusters.length === 0 ? "" : `, ${pluralize(loaded.clusters.length, "cluster")}`;
        const detail = `inventory, ${pluralize(loaded.nodes.length, "node")}${clusters}`;
        return { file, ok: true, kind, detail, notes: [] };
      }
      case "job":
      case "jobs-file": {
        const fleet = inventory();
        const job = loadJob(source, { inventory: fleet, programFolders: listProgramFolders(process.env.PATH) });
        return { file, ok: true, kind, detail: describeJob(job, kind), notes: listNotes([job], fleet) };
      }
      case "pipeline": {
        const { loadCheckedPipeline, listJobs } = await import("./runpipeline.js");
        const fleet = inventory();
        const pipeline = await loadCheckedPipeline(file, fleet);
        const { listUnknownJobs } = await import("./pipelineplan.js");
        const notes = [...listNotes(listJobs(pipeline), fleet), ...listUnknownJobs(pipeline)];
        return { file, ok: true, kind, detail: `pipeline, ${pluralize(pipeline.steps.length, "step")}`, notes };
      }
      default:
        return rejectFile(
          file,
          "is neither an inventory (nodes), a job (kind), a jobs file (jobs) nor a pipeline (steps)",
          "docs/reference.md has every key of each",
        );
    }
  } catch (error) {
    if (error instanceof InvalidFileError) return { file, ok: false, problems: error.problems };
    throw error;
  }
}

/** Returns what a user should know of jobs that are valid. Throws InvalidFile where one exceeds a limit of the inventory. */
function listNotes(jobs: Job[], fleet: Inventory | undefined): string[] {
  const notes = checkProfileLimits(jobs, fleet?.nodes ?? []);
  return fleet === undefined ? notes : [...notes, ...noteUnrunnableJobs(jobs, fleet)];
}

/** Returns the inventory that jobs are checked against: that of `-i`, else one among the files, else the default one, if any. */
function findInventoryFor(files: string[], options: CommonOptions): Inventory | undefined {
  const beside = options.inventory === undefined ? files.find(isInventoryFile) : undefined;
  try {
    const found = findInventory(options.inventory ?? (beside && resolve(beside)), process.env, process.cwd());
    return found.origin === "embedded" && options.inventory === undefined ? undefined : found;
  } catch (error) {
    // An invalid inventory among the files is reported as a file of its own.
    if (error instanceof InvalidFileError && options.inventory === undefined) return undefined;
    throw error;
  }
}

function isInventoryFile(file: string): boolean {
  try {
    return detectFileKind(readSource(file)) === "inventory";
  } catch (error) {
    // Its problems are reported as those of a file of its own.
    if (error instanceof InvalidFileError) return false;
    throw error;
  }
}

function describeJob(job: Job, kind: "job" | "jobs-file"): string {
  const what = kind === "jobs-file" ? "jobs file" : `job, ${job.kind}`;
  if (job.kind === "queue") return what;
  const units = { range: "unit", tasks: kind === "jobs-file" ? "job" : "task", matrix: "combination", shards: "shard" };
  return `${what}, ${pluralize(job.units, units[job.kind])}`;
}

function printVerdict(verdict: FileVerdict, options: CommonOptions, writers: Writers): void {
  if (!verdict.ok) for (const problem of verdict.problems) writers.err(formatProblem(problem));
  else if (!options.quiet)
    writers.out([`${verdict.file}: ok (${verdict.detail})`, ...verdict.notes.map((note) => `    ${note}`)].join("\n"));
}

function rejectFile(file: string, message: string, hint: string): FileVerdict {
  return { file, ok: false, problems: [{ file, message, hint }] };
}
