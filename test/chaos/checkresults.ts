import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { listFiles, sha256Hex } from "../faults/checks.js";
import type { ChaosJob } from "./chaosjob.js";
import type { CommittedItems, RunCopy } from "./runcopy.js";
import type { PlacedJob, Workload } from "./workload.js";

/** Problems that are named of one kind. */
const MAX_LISTED_PROBLEMS = 3;

/** What belongs into the run directory of a job, beside its aggregate. */
const EXPECTED_ENTRIES = [
  "job.yaml",
  "journal.ndjson",
  "project.json",
  "project.tar.gz",
  ".key",
  "results",
  "logs",
  "results.ndjson",
  "summary.json",
];

/** What belongs there beside that, for a queue. */
const QUEUE_ENTRIES = ["queue.ndjson", "queue.index"];

/** What is wrong with the results that the journals of a place have as committed, whatever has just happened. */
export function committedProblems(place: RunCopy, { jobs }: Workload): string[] {
  return jobs.flatMap((placed) => {
    const found = place.committedOf(placed);
    const folder = place.folderOf(placed);
    const { job } = placed;
    const content = job.plan.collect === "lines" ? outputsOf(folder) : undefined;
    const wrong = found.filter(({ chunk, first, end }) => {
      const have =
        content === undefined ? textOf(join(folder, "results", job.resultPath(first, end))) : content.get(chunk);
      return have !== job.expected(first, end);
    });
    return few(wrong, (one) => `${job.name}: the committed result of ${one.chunk} is wrong or not there`);
  });
}

/** What is wrong with the results of a place that has come to its end. */
export function resultsProblems(place: RunCopy, workload: Workload): string[] {
  const problems = workload.jobs.flatMap((placed) => jobProblems(place, placed));
  const { command } = workload;
  if (command !== undefined && place.state === "complete" && textOf(join(place.path, command.path)) !== command.content)
    problems.push(`${command.path}: the output of the pipeline's command is wrong or not there`);
  return [...committedProblems(place, workload), ...problems].map((problem) => `${place.name}: ${problem}`);
}

function jobProblems(place: RunCopy, placed: PlacedJob): string[] {
  const { job } = placed;
  const folder = place.folderOf(placed);
  const committed = place.committedOf(placed).sort((a, b) => a.first - b.first);
  return [
    ...coverageProblems(place, job, committed),
    ...linesProblems(folder, job, committed),
    ...filesProblems(folder, job, committed),
    ...(place.state === "complete" ? aggregateProblems(folder, job) : []),
  ].map((problem) => `${job.name}: ${problem}`);
}

/** Every item is committed once; of a job with a chunk that always fails, all but those of that chunk. */
function coverageProblems(place: RunCopy, job: ChaosJob, committed: CommittedItems[]): string[] {
  const gaps: [number, number][] = [];
  const overlaps: string[] = [];
  let next = 0;
  for (const { chunk, first, end } of committed) {
    if (first < next) overlaps.push(chunk);
    if (first > next) gaps.push([next, first]);
    next = Math.max(next, end);
  }
  if (next < job.plan.items) gaps.push([next, job.plan.items]);
  const { chunkFault } = job.plan;
  const excused = (gap: [number, number]) =>
    place.state === "partial" &&
    chunkFault?.times === "always" &&
    gap[0] <= chunkFault.item &&
    chunkFault.item < gap[1];
  return [
    ...few(overlaps, (chunk) => `${chunk} overlaps what is committed before it`),
    ...few(
      gaps.filter((gap) => !excused(gap)),
      ([from, to]) => `items ${from} to ${to} of ${job.plan.items} are not committed`,
    ),
  ];
}

/** results.ndjson has a line for each committed chunk, in order, with its hash. */
function linesProblems(folder: string, job: ChaosJob, committed: CommittedItems[]): string[] {
  const lines = resultLines(folder).map(({ chunk, sha256 }) => `${chunk} ${sha256}`);
  const wanted = committed.map(({ chunk, first, end }) => `${chunk} ${sha256Hex(job.expected(first, end))}`);
  const at = wanted.findIndex((line, index) => line !== lines[index]);
  if (at < 0 && lines.length === wanted.length) return [];
  const line = at < 0 ? wanted.length : at;
  return [`results.ndjson: line ${line + 1} is ${lines[line]}, must be ${wanted[line]}; ${lines.length} lines`];
}

function filesProblems(folder: string, job: ChaosJob, committed: CommittedItems[]): string[] {
  const found = listFiles(join(folder, "results"));
  const wanted = new Set(
    job.plan.collect === "lines" ? [] : committed.map(({ first, end }) => job.resultPath(first, end)),
  );
  const strange = found.filter((file) => !wanted.has(file));
  const usual = [...EXPECTED_ENTRIES, ...(job.plan.kind === "queue" ? QUEUE_ENTRIES : []), job.aggregateName];
  const beside = readdirSync(folder).filter((name) => !usual.includes(name));
  return [
    ...few(strange, (file) => `results/${file} belongs to no committed chunk`),
    ...few(beside, (name) => `${name} is left in the run directory`),
  ];
}

function aggregateProblems(folder: string, job: ChaosJob): string[] {
  if (job.aggregateName === undefined) return [];
  const have = textOf(join(folder, job.aggregateName))?.replace(/\s/g, "");
  return have === job.expectedAggregate() ? [] : [`${job.aggregateName} is wrong or not there`];
}

/** The output in each line of results.ndjson, by chunk. */
function outputsOf(folder: string): Map<string, string> {
  return new Map(resultLines(folder).map(({ chunk, output }) => [chunk, JSON.stringify(output)]));
}

/** The whole lines of results.ndjson. */
function resultLines(folder: string): { chunk: string; sha256: string; output: unknown }[] {
  const lines = textOf(join(folder, "results.ndjson"))?.split("\n").slice(0, -1) ?? [];
  return lines.map((line) => JSON.parse(line));
}

function textOf(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

function few<T>(all: T[], text: (one: T) => string): string[] {
  const more = all.length > MAX_LISTED_PROBLEMS ? [`and ${all.length - MAX_LISTED_PROBLEMS} more like that`] : [];
  return [...all.slice(0, MAX_LISTED_PROBLEMS).map(text), ...more];
}
