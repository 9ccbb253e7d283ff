import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import { readEntries } from "../run/record/journal.js";
import { COMMAND_LOG, LOG_STREAMS, locateLog } from "../run/record/logfiles.js";
import type { RunSession } from "../run/record/replay.js";
import { type RunHistory, readRunHistory } from "../run/record/runhistory.js";
import { convertToSecondsAtWork } from "../run/record/worktime.js";
import { type AnyRunStatus, readAnyRunStatus, type StepStatus } from "./anyrunstatus.js";
import type { PipelineEntry } from "./pipelinejournal.js";
import type { StepState } from "./stepstate.js";

/** The histories of further jobs are left out. */
const MAX_JOBS = 20;

/** One execution of a step or of a repetition, in seconds at work as in RunHistory. */
export interface StepExecution {
  step: string;
  /** `running` and `interrupted`: it has not ended. */
  state: StepState;
  from: number;
  to: number;
  reason?: string;
}

/** What a run of a pipeline did, read from its run directory alone. */
export interface PipelineHistory {
  status: AnyRunStatus;
  /** Of all sessions together. */
  seconds: number;
  sessions: RunSession[];
  executions: StepExecution[];
  /** The steps and repetitions whose command has logs: those of the chunk `COMMAND_LOG`. */
  commands: string[];
  /** The jobs of the first steps that ran one. */
  jobs: { step: string; history: RunHistory }[];
  /** Run directories of jobs that are not in `jobs`: there are too many, or `reason` says why it cannot be read. */
  omittedJobs: { step: string; path: string; reason?: string }[];
}

/** Reads the history of the run of a pipeline in the directory `path`. Rejects with JOURNAL_DAMAGED (65), or with the system's error. */
export async function readPipelineHistory(path: string, nowMs: number): Promise<PipelineHistory> {
  const status = readAnyRunStatus(path, nowMs);
  const timeline = new PipelineTimeline();
  const file = join(path, "journal.ndjson");
  const fd = openSync(file, "r");
  try {
    readEntries<PipelineEntry>(fd, file, (entry) => timeline.add(entry));
  } finally {
    closeSync(fd);
  }
  const isRunning = status.state === "running";
  if (isRunning) timeline.extendSessionTo(nowMs);
  timeline.endSession(isRunning ? "running" : "interrupted");
  const { sessions, executions, seconds } = timeline;
  const steps = status.steps ?? [];
  const commands = steps.filter(({ step }) => hasCommandLog(join(path, step))).map(({ step }) => step);
  return { status, seconds, sessions, executions, commands, ...(await readJobs(steps, nowMs)) };
}

function hasCommandLog(folder: string): boolean {
  return LOG_STREAMS.some((stream) => existsSync(locateLog(folder, COMMAND_LOG, stream)));
}

async function readJobs(steps: StepStatus[], nowMs: number): Promise<Pick<PipelineHistory, "jobs" | "omittedJobs">> {
  const jobs: PipelineHistory["jobs"] = [];
  const omittedJobs: PipelineHistory["omittedJobs"] = [];
  for (const { step, run } of steps) {
    if (run === undefined) continue;
    if (jobs.length === MAX_JOBS) {
      omittedJobs.push({ step, path: run.path });
      continue;
    }
    try {
      jobs.push({ step, history: await readRunHistory(run.path, nowMs) });
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      omittedJobs.push({ step, path: run.path, reason: error.message });
    }
  }
  return { jobs, omittedJobs };
}

/** When steps ran, from the records of a pipeline's journal. */
class PipelineTimeline {
  readonly sessions: RunSession[] = [];
  readonly executions: StepExecution[] = [];
  private readonly begunAt = new Map<string, string>();

  get seconds(): number {
    const last = this.sessions.at(-1);
    return last === undefined ? 0 : last.from + last.seconds;
  }

  add(entry: PipelineEntry): void {
    switch (entry.e) {
      case "pipeline":
        return;
      case "open":
        this.endSession("interrupted");
        this.sessions.push({ number: entry.session, began: entry.at, from: this.seconds, seconds: 0 });
        return;
      case "begin":
        this.extendSessionTo(Date.parse(entry.at));
        this.begunAt.set(entry.step, entry.at);
        return;
      case "end":
        this.extendSessionTo(Date.parse(entry.at));
        this.addExecution(entry.step, entry.state, this.seconds, entry.reason);
        this.begunAt.delete(entry.step);
        return;
      case "close":
        this.extendSessionTo(Date.parse(entry.at));
        return;
      default:
        entry satisfies never;
    }
  }

  extendSessionTo(timeMs: number): void {
    const last = this.sessions.at(-1);
    if (last !== undefined) last.seconds = Math.max(last.seconds, (timeMs - Date.parse(last.began)) / 1000 || 0);
  }

  /** Adds the steps that have not ended, in this state. */
  endSession(state: "running" | "interrupted"): void {
    for (const step of this.begunAt.keys()) this.addExecution(step, state, this.seconds);
    this.begunAt.clear();
  }

  /** Adds an execution that has begun; a step that was blocked, or has earlier results, has not. */
  private addExecution(step: string, state: StepState, to: number, reason?: string): void {
    const began = this.begunAt.get(step);
    if (began === undefined) return;
    const from = Math.min(to, convertToSecondsAtWork(this.sessions, Date.parse(began) / 1000));
    this.executions.push({ step, state, from, to, ...(reason === undefined ? {} : { reason }) });
  }
}
