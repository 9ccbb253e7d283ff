import { resolve } from "node:path";
import type { Job } from "../executor/job/job.js";
import { loadJob } from "../executor/job/load.js";
import { findInventory, type Inventory, loadInventory } from "../fleet/inventory.js";
import { plural } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import { describe, InvalidFile, type Problem } from "../schemas/errors.js";
import { kindOf } from "../schemas/kind.js";
import { jsonText } from "../schemas/printable.js";
import { readSource } from "../schemas/yaml.js";
import type { CommonOptions } from "./common.js";
import { limitNotes } from "./limits.js";

/** What came of one file. */
type Verdict =
  | { file: string; ok: true; kind: string; detail: string; notes: string[] }
  | { file: string; ok: false; problems: Problem[] };

/**
 * `muster validate FILE...`: says of each file what it is, or everything that is wrong with it. Connects to nothing.
 * Answers 0, or 65 when a file is invalid.
 */
export async function validate(files: string[], options: CommonOptions, writers: Writers): Promise<number> {
  let found: { inventory: Inventory | undefined } | undefined;
  const verdicts = await Promise.all(
    files.map((file) =>
      judge(file, () => {
        // The file that asks is none.
        const others = files.filter((other) => other !== file);
        found ??= { inventory: inventoryFor(others, options) };
        return found.inventory;
      }),
    ),
  );
  if (options.json) writers.out(jsonText(verdicts, 2));
  else for (const verdict of verdicts) print(verdict, options, writers);
  return verdicts.every(({ ok }) => ok) ? 0 : 65;
}

async function judge(file: string, inventory: () => Inventory | undefined): Promise<Verdict> {
  try {
    const source = readSource(file);
    const kind = kindOf(source);
    switch (kind) {
      case "inventory":
        return {
          file,
          ok: true,
          kind,
          detail: `inventory, ${plural(loadInventory(file).nodes.length, "node")}`,
          notes: [],
        };
      case "job":
      case "jobs-file": {
        const fleet = inventory();
        const job = loadJob(source, { inventory: fleet });
        return { file, ok: true, kind, detail: detailOf(job, kind), notes: limitNotes([job], fleet?.nodes ?? []) };
      }
      case "pipeline": {
        const { checkedPipeline, jobsOf } = await import("./pipeline.js");
        const fleet = inventory();
        const pipeline = await checkedPipeline(file, fleet);
        const notes = limitNotes(jobsOf(pipeline), fleet?.nodes ?? []);
        return { file, ok: true, kind, detail: `pipeline, ${plural(pipeline.steps.length, "step")}`, notes };
      }
      default:
        return refused(
          file,
          "is neither an inventory (nodes), a job (kind), a jobs file (jobs) nor a pipeline (steps)",
          "docs/reference.md has every key of each",
        );
    }
  } catch (error) {
    if (error instanceof InvalidFile) return { file, ok: false, problems: error.problems };
    throw error;
  }
}

/** The inventory that jobs are checked against: the one asked for, else one among the files, else the usual one, if any. */
function inventoryFor(files: string[], options: CommonOptions): Inventory | undefined {
  const beside = options.inventory === undefined ? files.find(isInventory) : undefined;
  try {
    const found = findInventory(options.inventory ?? (beside && resolve(beside)), process.env, process.cwd());
    return found.origin === "embedded" && options.inventory === undefined ? undefined : found;
  } catch (error) {
    // An inventory among the files gets a verdict of its own.
    if (error instanceof InvalidFile && options.inventory === undefined) return undefined;
    throw error;
  }
}

function isInventory(file: string): boolean {
  try {
    return kindOf(readSource(file)) === "inventory";
  } catch (error) {
    // What is wrong with it is its own verdict.
    if (error instanceof InvalidFile) return false;
    throw error;
  }
}

function detailOf(job: Job, kind: "job" | "jobs-file"): string {
  const what = kind === "jobs-file" ? "jobs file" : `job, ${job.kind}`;
  const units = { range: "unit", tasks: kind === "jobs-file" ? "job" : "task", matrix: "combination" }[job.kind];
  return `${what}, ${plural(job.units, units)}`;
}

function print(verdict: Verdict, options: CommonOptions, writers: Writers): void {
  if (!verdict.ok) for (const problem of verdict.problems) writers.err(describe(problem));
  else if (!options.quiet)
    writers.out([`${verdict.file}: ok (${verdict.detail})`, ...verdict.notes.map((note) => `    ${note}`)].join("\n"));
}

function refused(file: string, message: string, hint: string): Verdict {
  return { file, ok: false, problems: [{ file, message, hint }] };
}
