import { normalizePath } from "../job/inputs.js";
import type { Job } from "../job/job.js";
import { listCombinedFiles, listResultPaths } from "../job/resultpath.js";
import type { PipelineStep } from "./pipeline.js";

/**
 * The path of an output in the folder of its step, or why the step has no such output. `from` is undefined where it is looked for when
 * the step has run: if a step makes its job, the step is repeated, or its job publishes results elsewhere or files with unknown names.
 */
export type StepOutput = { ok: true; from: string | undefined } | { ok: false; message: string; hint?: string };

const NAME_ONE = "name one of its files as STEP/FILE";
/** The number of tasks whose outputs a hint lists. */
const MAX_HINTED_OUTPUTS = 20;

/** Finds the output `file` of a step; "" means all of its results. Pure. */
export function resolveStepOutput({ action, each }: Pick<PipelineStep, "action" | "each">, file: string): StepOutput {
  if (action.kind !== "job" && action.kind !== "command")
    return { ok: false, message: `is a ${action.kind} step, which produces no files` };
  const plain = file === "" ? { ok: true as const, path: "" } : normalizePath(file);
  if (!plain.ok) return plain;
  if (action.kind === "job")
    return action.job === undefined || each !== undefined
      ? { ok: true, from: undefined }
      : resolveJobOutput(action.job, plain.path);
  if (plain.path === "") return { ok: true, from: each === undefined ? "results" : undefined };
  if (each !== undefined && isRepeatedOutput(action.outputs, plain.path)) return { ok: true, from: undefined };
  if (each === undefined && action.outputs.includes(plain.path)) return { ok: true, from: `results/${plain.path}` };
  return { ok: false, message: `has no output "${file}"`, hint: formatOutputsHint(action.outputs) };
}

/** Whether a path is an output of all repetitions, of one (`VALUE/OUTPUT`), or names one (`VALUE`). */
function isRepeatedOutput(outputs: string[], path: string): boolean {
  const rest = path.split("/").slice(1).join("/");
  return rest === "" || outputs.includes(path) || outputs.includes(rest);
}

function resolveJobOutput(job: Job, file: string): StepOutput {
  if (file === "results.ndjson") return { ok: true, from: file };
  const isElsewhere = job.results !== undefined && job.collect === "files";
  if (file === "" && isElsewhere)
    return { ok: false, message: `publishes its results in ${job.results!.folder}, among other files`, hint: NAME_ONE };
  if (file === "") return { ok: true, from: "results" };
  if (file === job.aggregate?.to) return { ok: true, from: isElsewhere ? undefined : file };
  if (isJobOutput(job, file)) return { ok: true, from: isElsewhere ? undefined : `results/${file}` };
  if (job.findsOutputs && job.collect === "files") return { ok: true, from: undefined };
  const known = [
    ...(job.aggregate === undefined ? [] : [job.aggregate.to]),
    "results.ndjson",
    ...listKnownOutputs(job),
  ];
  return { ok: false, message: `has no output "${file}"`, hint: formatOutputsHint(known) };
}

function isJobOutput(job: Job, file: string): boolean {
  if (job.collect === "lines") return false;
  if (listCombinedFiles(job).includes(file)) return true;
  if (job.kind === "tasks") {
    for (let unit = job.first; unit < job.first + job.units; unit++)
      if (listResultPaths(job, job.chunk(unit, unit + 1n)).includes(file)) return true;
    return false;
  }
  const units = job.kind === "range" ? undefined : job.unitsOf(file.split("/")[0]!);
  return units !== undefined && listResultPaths(job, job.chunk(...units)).includes(file);
}

/** Returns the first outputs of a job whose names are known before it runs. */
function listKnownOutputs(job: Job): string[] {
  if (job.kind === "range" || job.collect === "lines") return [];
  const count = job.units < MAX_HINTED_OUTPUTS ? Number(job.units) : MAX_HINTED_OUTPUTS;
  return Array.from({ length: count }, (_, index) => {
    const chunk = job.chunk(job.first + BigInt(index), job.first + BigInt(index) + 1n);
    return listResultPaths(job, chunk);
  }).flat();
}

function formatOutputsHint(outputs: string[]): string {
  return outputs.length === 0 ? "it declares none" : `it produces ${outputs.slice(0, MAX_HINTED_OUTPUTS).join(", ")}`;
}
