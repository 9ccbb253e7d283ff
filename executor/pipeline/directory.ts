import { randomBytes } from "node:crypto";
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import { Journal, readEntries } from "../run/journal.js";
import { takeLock } from "../run/lock.js";
import type { Pipeline } from "./pipeline.js";
import { type PipelineEntry, PipelinePast } from "./record.js";

/** The folder of one run of a pipeline: held by this process alone until `close`. */
export interface PipelineDirectory {
  path: string;
  journal: Journal<PipelineEntry>;
  past: PipelinePast;
  close(): void;
}

/** Where a pipeline's run directory is: `out`, else runs/NAME beside its file. With `fresh`, the next free name beside it. */
export function pipelinePath(pipeline: Pipeline, out: string | undefined, fresh: boolean): string {
  const path = out ?? join(pipeline.folder, "runs", pipeline.name);
  if (!fresh || !existsSync(path)) return path;
  for (let n = 2; ; n++) if (!existsSync(`${path}-${n}`)) return `${path}-${n}`;
}

/**
 * Opens the run directory of a pipeline, making it where there is none. Refuses (65) one that is for other steps, saying what
 * differs, and one that another process holds (75).
 */
export async function openPipelineDirectory(path: string, pipeline: Pipeline): Promise<PipelineDirectory> {
  const file = join(path, "journal.ndjson");
  mkdirSync(path, { recursive: true });
  const fd = openSync(file, "a+", 0o644);
  try {
    if (!takeLock(fd)) throw held(path, fd, file);
    const past = new PipelinePast();
    let records = 0;
    const journal = Journal.resume<PipelineEntry>(fd, file, (entry) => {
      records++;
      past.see(entry);
    });
    const identity = identityOf(pipeline);
    if (past.pipeline !== undefined) {
      const changed = changes(past.pipeline.identity, identity).map((line) => `\n    ${line}`);
      if (changed.length > 0) throw otherRun(path, `a run of another pipeline:${changed.join("")}`);
    } else {
      if (records > 0) throw otherRun(path, "a run of a job");
      copyFileSync(pipeline.file, join(path, "pipeline.yaml"));
      const id = `${pipeline.name}-${randomBytes(6).toString("hex")}`;
      const steps = pipeline.steps.map((step) => step.name);
      journal.add({ e: "pipeline", id, name: pipeline.name, file: pipeline.file, steps, identity });
    }
    return { path, journal, past, close: () => journal.close() };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Writes down that this coordinator begins, and with which steps. */
export async function begin({ journal, past }: PipelineDirectory, meant: string[]): Promise<void> {
  journal.add({
    e: "open",
    session: past.session,
    pid: process.pid,
    host: hostname(),
    at: new Date().toISOString(),
    meant,
  });
  await journal.flush();
}

/** Whether a run is one of the same steps. */
export function isSame(run: NonNullable<PipelinePast["pipeline"]>, pipeline: Pipeline): boolean {
  return changes(run.identity, identityOf(pipeline)).length === 0;
}

/** What of each step decides over what it does; the content of a job is its own run directory's business. */
function identityOf({ steps }: Pipeline): Record<string, string> {
  return Object.fromEntries(
    steps.map(({ name, needs, feeds, work }) => {
      const { kind } = work;
      const what =
        kind === "job"
          ? {}
          : kind === "command"
            ? { words: work.words, outputs: work.outputs }
            : { playbooks: work.playbooks, nodes: work.nodes };
      return [name, JSON.stringify({ kind, needs, feeds, ...what })];
    }),
  );
}

function changes(identity: Record<string, string>, now: Record<string, string>): string[] {
  const names = [...new Set([...Object.keys(identity), ...Object.keys(now)])];
  return names.flatMap((name) => {
    if (identity[name] === now[name]) return [];
    const how = identity[name] === undefined ? "is new" : now[name] === undefined ? "is gone" : "has changed";
    return [`step ${name} ${how}`];
  });
}

function otherRun(path: string, what: string): MusterError {
  return new MusterError("OTHER_PIPELINE", 65, `${path} holds ${what}`, {
    next: "Start anew beside it with --fresh, or choose another folder with --out.",
  });
}

function held(path: string, fd: number, file: string): MusterError {
  const past = new PipelinePast();
  readEntries<PipelineEntry>(fd, file, (entry) => past.see(entry));
  const { holder } = past;
  const by =
    holder === undefined ? "another muster" : `muster process ${holder.pid} on ${holder.host}, since ${holder.at}`;
  return new MusterError("HELD", 75, `${path} is held by ${by}`, {
    next: "Wait for it to end, or stop it; two coordinators never share a run directory.",
  });
}
