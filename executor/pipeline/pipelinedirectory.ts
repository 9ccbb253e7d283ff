import { randomBytes } from "node:crypto";
import { closeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { explainDiskError } from "../run/record/diskerror.js";
import { copyFileWithMode, intersectModes } from "../run/record/filemode.js";
import { Journal } from "../run/record/journal.js";
import { acquireRunLock, createOtherRunError, type LockedJournal } from "../run/record/runlock.js";
import type { Pipeline } from "./pipeline.js";
import { type PipelineEntry, PipelineReplay } from "./pipelinejournal.js";

/** The folder of one run of a pipeline: held by this process alone until `close`. */
export interface PipelineDirectory {
  path: string;
  journal: Journal<PipelineEntry>;
  replay: PipelineReplay;
  close(): void;
}

/**
 * Opens the run directory of a pipeline, making it where there is none. Refuses (65) one that is for other steps, saying what
 * differs, one that another process holds (75), and (3) one that cannot be written.
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
  const past = new PipelineReplay();
  let records = 0;
  const journal = Journal.resume<PipelineEntry>(fd, file, (entry) => {
    records++;
    past.apply(entry);
  });
  const identity = identifySteps(pipeline);
  if (past.header !== undefined) {
    const changed = listChanges(past.header.identity, identity).map((line) => `\n    ${line}`);
    if (changed.length > 0) throw createOtherRunError(path, `a run of another pipeline:${changed.join("")}`);
  } else {
    if (records > 0) throw createOtherRunError(path, "a run of a job");
    copyFileWithMode(pipeline.file, join(path, "pipeline.yaml"));
    const id = `${pipeline.name}-${randomBytes(6).toString("hex")}`;
    const steps = pipeline.steps.map((step) => step.name);
    journal.add({ e: "pipeline", id, name: pipeline.name, file: pipeline.file, steps, identity });
  }
  return { path, journal, replay: past, close: () => journal.close() };
}

/** The files that a pipeline was read from. */
function listSourceFiles({ file, steps }: Pipeline): string[] {
  const jobs = steps.flatMap(({ action: work }) =>
    work.kind === "job" ? [work.job.file, work.job.envFile ?? work.job.file] : [],
  );
  return [file, ...jobs];
}

/** Writes down that this coordinator begins, and with which steps. */
export async function recordOpen({ journal, replay: past }: PipelineDirectory, meant: string[]): Promise<void> {
  journal.add({
    e: "open",
    session: past.nextSession,
    pid: process.pid,
    host: hostname(),
    at: new Date().toISOString(),
    meant,
  });
  await journal.flush();
}

/** Whether a run is one of the same steps. */
export function hasSameSteps(run: NonNullable<PipelineReplay["header"]>, pipeline: Pipeline): boolean {
  return listChanges(run.identity, identifySteps(pipeline)).length === 0;
}

/** What of each step decides over what it does; the content of a job is its own run directory's business. */
function identifySteps({ steps }: Pipeline): Record<string, string> {
  return Object.fromEntries(
    steps.map(({ name, needs, inputs: feeds, action: work }) => {
      const { kind } = work;
      const what =
        kind === "job"
          ? {}
          : kind === "command"
            ? { words: work.argv, outputs: work.outputs }
            : { playbooks: work.playbooks, nodes: work.nodes };
      return [name, JSON.stringify({ kind, needs, feeds, ...what })];
    }),
  );
}

function listChanges(identity: Record<string, string>, now: Record<string, string>): string[] {
  const names = [...new Set([...Object.keys(identity), ...Object.keys(now)])];
  return names.flatMap((name) => {
    if (identity[name] === now[name]) return [];
    const how = identity[name] === undefined ? "is new" : now[name] === undefined ? "is gone" : "has changed";
    return [`step ${name} ${how}`];
  });
}
