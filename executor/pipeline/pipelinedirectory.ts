import { randomBytes } from "node:crypto";
import { closeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { explainDiskError } from "../run/record/diskerror.js";
import { copyFileWithMode, intersectModes } from "../run/record/filemode.js";
import { Journal } from "../run/record/journal.js";
import { acquireRunLock, createOtherRunError, type LockedJournal } from "../run/record/runlock.js";
import type { EachValues, Pipeline, StepAction } from "./pipeline.js";
import { type PipelineEntry, PipelineReplay } from "./pipelinejournal.js";

/** The run directory of a pipeline. This process holds its lock until `close`. */
export interface PipelineDirectory {
  path: string;
  journal: Journal<PipelineEntry>;
  replay: PipelineReplay;
  close(): void;
}

/**
 * Opens the run directory of a pipeline, or creates it. Throws OTHER_RUN (65) with the differences where it belongs to other steps, HELD
 * (75) where another process has locked it, and DISK (3) where it cannot be written.
 */
export function openPipelineDirectory(path: string, pipeline: Pipeline): PipelineDirectory {
  let claimed: LockedJournal | undefined;
  try {
    claimed = acquireRunLock(path, intersectModes(listSourceFiles(pipeline)));
    return openClaimed(path, claimed, pipeline);
  } catch (error) {
    if (claimed !== undefined) closeSync(claimed.fd);
    throw explainDiskError(path, error);
  }
}

function openClaimed(path: string, { fd, file }: LockedJournal, pipeline: Pipeline): PipelineDirectory {
  const replay = new PipelineReplay();
  let records = 0;
  const journal = Journal.resume<PipelineEntry>(fd, file, (entry) => {
    records++;
    replay.apply(entry);
  });
  const identity = identifySteps(pipeline);
  if (replay.header !== undefined) {
    const changed = listChanges(replay.header.identity, identity).map((line) => `\n    ${line}`);
    if (changed.length > 0) throw createOtherRunError(path, `a run of another pipeline:${changed.join("")}`);
  } else {
    if (records > 0) throw createOtherRunError(path, "a run of a job");
    copyFileWithMode(pipeline.file, join(path, "pipeline.yaml"));
    const id = `${pipeline.name}-${randomBytes(6).toString("hex")}`;
    const steps = pipeline.steps.map((step) => step.name);
    journal.add({ e: "pipeline", id, name: pipeline.name, file: pipeline.file, steps, identity });
  }
  return { path, journal, replay, close: () => journal.close() };
}

/** Returns the files that a pipeline was read from. */
function listSourceFiles({ file, steps }: Pipeline): string[] {
  const jobs = steps.flatMap(({ action }) =>
    action.kind === "job" && action.job !== undefined ? [action.job.file, action.job.envFile ?? action.job.file] : [],
  );
  return [file, ...jobs];
}

/** Journals that this coordinator starts, and the steps that are selected. */
export async function recordOpen({ journal, replay }: PipelineDirectory, selected: string[]): Promise<void> {
  journal.add({
    e: "open",
    session: replay.nextSession,
    pid: process.pid,
    host: hostname(),
    at: new Date().toISOString(),
    meant: selected,
  });
  await journal.flush();
}

/** Returns whether a run has the same steps as the pipeline now. */
export function hasSameSteps(run: NonNullable<PipelineReplay["header"]>, pipeline: Pipeline): boolean {
  return listChanges(run.identity, identifySteps(pipeline)).length === 0;
}

/** Returns for each step the text that identifies what it does. The content of a job is checked by the job's own run directory. */
function identifySteps({ steps }: Pipeline): Record<string, string> {
  return Object.fromEntries(
    steps.map(({ name, needs, inputs, action, each }) => {
      // The keys are those of existing journals.
      const feeds = inputs.map(({ path, step, file, from }) => ({ path, step, from: from ?? file }));
      return [
        name,
        JSON.stringify({ kind: action.kind, needs, feeds, ...identifyAction(action), ...identifyEach(each) }),
      ];
    }),
  );
}

function identifyAction(action: StepAction): object {
  switch (action.kind) {
    case "job":
      return action.source.kind === "output" ? { job: [action.source.step, action.source.file] } : {};
    case "command":
      return { words: action.argv, outputs: action.outputs };
    case "provision":
    case "verify":
      return { playbooks: action.playbooks, nodes: action.nodes };
    default:
      return action satisfies never;
  }
}

function identifyEach(each: EachValues | undefined): object {
  if (each === undefined) return {};
  return { each: each.kind === "values" ? each.values : [each.output.step, each.output.file] };
}

function listChanges(identity: Record<string, string>, now: Record<string, string>): string[] {
  const names = [...new Set([...Object.keys(identity), ...Object.keys(now)])];
  return names.flatMap((name) => {
    if (identity[name] === now[name]) return [];
    const how = identity[name] === undefined ? "is new" : now[name] === undefined ? "was removed" : "has changed";
    return [`step ${name} ${how}`];
  });
}
