import type { Job } from "../../job/job.js";
import type { Maker } from "../../schedule/attempts/canary.js";
import { Coverage } from "../../schedule/queue/coverage.js";
import type { Entry } from "./journal.js";

type RunEntry = Extract<Entry, { e: "run" }>;
type OpenEntry = Extract<Entry, { e: "open" }>;

/** A chunk of which two results differ, who made them, and where they do. */
export interface Differing {
  chunk: string;
  first: Maker;
  second: Maker;
  what: string;
}

/** What the sessions before this one have left in a run directory, gathered from its journal. */
export class Past {
  /** What the run directory is for; undefined while it is new. */
  run: RunEntry | undefined;
  /** The last coordinator that opened it. */
  holder: OpenEntry | undefined;
  /** Committed units: as many stretches as there are gaps between them, however many chunks there were. */
  readonly done = new Coverage();
  chunks = 0;
  /** Bytes of results.ndjson that are committed. */
  length = 0;
  complete = false;
  /** Chunks that were computed again, and those of them of which both results differ. */
  readonly compared = new Set<string>();
  readonly differing: Differing[] = [];
  /** The nodes that may hold something of it: what `-i` takes to find them -> their names. */
  readonly nodes = new Map<string, Set<string>>();

  see(entry: Entry): void {
    switch (entry.e) {
      case "run":
        this.run = entry;
        break;
      case "open":
        this.holder = entry;
        break;
      case "nodes":
        this.nodes.set(entry.inventory, new Set([...(this.nodes.get(entry.inventory) ?? []), ...entry.nodes]));
        break;
      case "done":
        this.chunks++;
        this.done.add(BigInt(entry.start), BigInt(entry.end));
        this.length = entry.length;
        break;
      case "close":
        this.complete = entry.state === "complete";
        break;
      case "canary":
        this.compared.add(entry.chunk);
        if (entry.differing !== undefined) this.differing.push(entry.differing);
        break;
    }
  }

  /** The session number of the coordinator that comes now. */
  get session(): number {
    return (this.holder?.session ?? 0) + 1;
  }
}

/** What differs between the job that a run directory is for and the one that is to be run in it: a line each. */
export function differences(run: RunEntry, job: Job, inputs: Record<string, string>): string[] {
  const { identity } = job;
  const changed = run.identity === identity ? [] : changedKeys(JSON.parse(run.identity), JSON.parse(identity));
  return [...changed, ...changedInputs(run.inputs, inputs)];
}

function changedKeys(before: Record<string, unknown>, now: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return keys
    .map((key) => ({ key, was: short(before[key]), is: short(now[key]), same: text(before[key]) === text(now[key]) }))
    .filter((one) => !one.same)
    .map(({ key, was, is }) => (was === is ? `${key} differs` : `${key}: was ${was}, is now ${is}`));
}

function changedInputs(before: Record<string, string>, now: Record<string, string>): string[] {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return paths.filter((path) => before[path] !== now[path]).map((path) => `${path}: its content has changed`);
}

function text(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

function short(value: unknown): string {
  const whole = text(value);
  return whole.length > 80 ? `${whole.slice(0, 77)}...` : whole;
}
