import { plainPath } from "../job/inputs.js";
import type { Job } from "../job/job.js";
import type { StepWork } from "./pipeline.js";

/** Where something that a step makes lies in its folder, or why it makes no such thing. */
export type Offer = { ok: true; from: string } | { ok: false; message: string; hint?: string };

/** Tasks that are looked through for their outputs when a hint is made. */
const SHOWN = 20;

/** What `file` of a step means: "" is all of its results. Pure. */
export function offerOf(work: StepWork, file: string): Offer {
  if (work.kind !== "job" && work.kind !== "command")
    return { ok: false, message: `is a ${work.kind}, which makes no files` };
  const plain = file === "" ? { ok: true as const, path: "" } : plainPath(file);
  if (!plain.ok) return plain;
  if (plain.path === "") return { ok: true, from: "results" };
  if (work.kind === "job") return offerOfJob(work.job, plain.path);
  if (work.outputs.includes(plain.path)) return { ok: true, from: `results/${plain.path}` };
  return { ok: false, message: `has no output "${file}"`, hint: known(work.outputs) };
}

function offerOfJob(job: Job, file: string): Offer {
  if (file === "results.ndjson" || file === job.aggregate?.to) return { ok: true, from: file };
  if (isOutput(job, file)) return { ok: true, from: `results/${file}` };
  const named = [...(job.aggregate === undefined ? [] : [job.aggregate.to]), "results.ndjson", ...outputsOf(job)];
  return { ok: false, message: `has no output "${file}"`, hint: known(named) };
}

function isOutput(job: Job, file: string): boolean {
  if (job.collect === "lines") return false;
  if (job.kind === "tasks") {
    for (let unit = job.first; unit < job.first + job.units; unit++)
      if (job.chunk(unit, unit + 1n).work.outputs.includes(file)) return true;
    return false;
  }
  const [chunk = "", ...rest] = file.split("/");
  const units = job.kind === "matrix" ? job.unitsOf(chunk) : undefined;
  return units !== undefined && job.chunk(...units).work.outputs.includes(rest.join("/"));
}

/** The first outputs of a job whose names are known before it runs. */
function outputsOf(job: Job): string[] {
  if (job.kind === "range" || job.collect === "lines") return [];
  const count = job.units < SHOWN ? Number(job.units) : SHOWN;
  return Array.from({ length: count }, (_, index) => {
    const chunk = job.chunk(job.first + BigInt(index), job.first + BigInt(index) + 1n);
    return chunk.work.outputs.map((output) => (job.kind === "tasks" ? output : `${chunk.id}/${output}`));
  }).flat();
}

function known(outputs: string[]): string {
  return outputs.length === 0 ? "it declares none" : `it makes ${outputs.slice(0, SHOWN).join(", ")}`;
}
