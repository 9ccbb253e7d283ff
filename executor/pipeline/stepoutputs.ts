import { normalizePath } from "../job/inputs.js";
import type { Job } from "../job/job.js";
import type { StepAction } from "./pipeline.js";

/** The path of an output in the folder of its step, or why the step has no such output. */
export type StepOutput = { ok: true; from: string } | { ok: false; message: string; hint?: string };

/** The number of tasks whose outputs a hint lists. */
const MAX_HINTED_OUTPUTS = 20;

/** Finds the output `file` of a step; "" means all of its results. Pure. */
export function resolveStepOutput(action: StepAction, file: string): StepOutput {
  if (action.kind !== "job" && action.kind !== "command")
    return { ok: false, message: `is a ${action.kind} step, which produces no files` };
  const plain = file === "" ? { ok: true as const, path: "" } : normalizePath(file);
  if (!plain.ok) return plain;
  if (plain.path === "") return { ok: true, from: "results" };
  if (action.kind === "job") return resolveJobOutput(action.job, plain.path);
  if (action.outputs.includes(plain.path)) return { ok: true, from: `results/${plain.path}` };
  return { ok: false, message: `has no output "${file}"`, hint: formatOutputsHint(action.outputs) };
}

function resolveJobOutput(job: Job, file: string): StepOutput {
  if (file === "results.ndjson" || file === job.aggregate?.to) return { ok: true, from: file };
  if (isJobOutput(job, file)) return { ok: true, from: `results/${file}` };
  const known = [
    ...(job.aggregate === undefined ? [] : [job.aggregate.to]),
    "results.ndjson",
    ...listKnownOutputs(job),
  ];
  return { ok: false, message: `has no output "${file}"`, hint: formatOutputsHint(known) };
}

function isJobOutput(job: Job, file: string): boolean {
  if (job.collect === "lines") return false;
  if (job.kind === "tasks") {
    for (let unit = job.first; unit < job.first + job.units; unit++)
      if (job.chunk(unit, unit + 1n).spec.outputs.includes(file)) return true;
    return false;
  }
  const [chunk = "", ...rest] = file.split("/");
  const units = job.kind === "range" ? undefined : job.unitsOf(chunk);
  return units !== undefined && job.chunk(...units).spec.outputs.includes(rest.join("/"));
}

/** Returns the first outputs of a job whose names are known before it runs. */
function listKnownOutputs(job: Job): string[] {
  if (job.kind === "range" || job.collect === "lines") return [];
  const count = job.units < MAX_HINTED_OUTPUTS ? Number(job.units) : MAX_HINTED_OUTPUTS;
  return Array.from({ length: count }, (_, index) => {
    const chunk = job.chunk(job.first + BigInt(index), job.first + BigInt(index) + 1n);
    return chunk.spec.outputs.map((output) => (job.kind === "tasks" ? output : `${chunk.id}/${output}`));
  }).flat();
}

function formatOutputsHint(outputs: string[]): string {
  return outputs.length === 0 ? "it declares none" : `it produces ${outputs.slice(0, MAX_HINTED_OUTPUTS).join(", ")}`;
}
