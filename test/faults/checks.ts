import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { readEntries } from "../../executor/run/record/journal.js";
import type { JournalEntry } from "../../executor/run/record/journalentry.js";
import type { LabNode } from "../lab/lab.js";
import { listLeftovers } from "../lab/leftovers.js";
import type { KnownJob } from "./knownjob.js";

/** The records of a run's journal; none where there is no journal yet. */
export function readJournal(run: string): JournalEntry[] {
  const file = join(run, "journal.ndjson");
  if (!existsSync(file)) return [];
  const entries: JournalEntry[] = [];
  const fd = openSync(file, "r");
  try {
    readEntries(fd, file, (entry) => entries.push(entry));
  } finally {
    closeSync(fd);
  }
  return entries;
}

/** Chunks that a run's journal has as committed, in that order. */
export function committedChunks(run: string): string[] {
  return readJournal(run).flatMap((entry) => (entry.e === "done" ? [entry.chunk] : []));
}

/** The lines of results.ndjson. */
export function readResultLines(job: KnownJob): { chunk: string; node: string; sha256: string }[] {
  const lines = readFileSync(join(job.run, "results.ndjson"), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

/** Every expected result is there once with the right bytes, in every place where it must be, and nothing else is. */
export function checkResults(t: Test, job: KnownJob): void {
  const wanted = job.chunks.map((chunk) => ({ chunk, sha256: sha256Hex(job.expected(chunk)) }));
  const named = readResultLines(job).map(({ chunk, sha256 }) => ({ chunk, sha256 }));
  t.same(named, wanted, "results.ndjson: every chunk once, in order, with the right hash");
  t.same(committedChunks(job.run).sort(), [...job.chunks].sort(), "the journal has every chunk once");
  const found = listFiles(join(job.run, "results"));
  t.same(found, job.chunks.map((chunk) => `${chunk}/r.json`).sort(), "results/: every file, and no other");
  const wrong = job.chunks.filter((chunk) => readResult(job, chunk) !== job.expected(chunk));
  t.same(wrong, [], "results/: every file has the right bytes");
  const strange = readdirSync(job.run).filter((name) => !EXPECTED_ENTRIES.has(name));
  t.same(strange, [], "nothing else is left in the run directory");
  const summary = JSON.parse(readFileSync(join(job.run, "summary.json"), "utf8"));
  t.match(summary, { state: "complete", chunks: { done: job.chunks.length, failed: 0 } });
}

/** What the journal has is on disk under its final name with the right bytes, whatever has just happened. */
export function checkCommitted(t: Test, job: KnownJob, when: string): void {
  const wrong = committedChunks(job.run).filter((chunk) => readResult(job, chunk) !== job.expected(chunk));
  t.same(wrong, [], `${when}: what is journaled is there`);
}

/** No process of muster is left on the nodes, and no file beside the cache. */
export async function checkNodes(t: Test, nodes: LabNode[]): Promise<void> {
  for (const node of nodes) {
    t.same(await node.quiet(30), [], `no process is left on ${node.name}`);
    const left = WORKDIRS.flatMap((path) => listLeftovers(join(node.root, path)));
    t.same(left, [], `no file is left on ${node.name} beside its cache`);
  }
}

/** Whether the agent there has written down the result of everything that it started. */
export function hasRecorded(node: LabNode): boolean {
  const runs = join(node.root, WORKDIRS[0]!, "runs");
  const lines = readdirSync(runs).flatMap((run) => readFileSync(join(runs, run, "done.ndjson"), "utf8").split("\n"));
  const count = (start: string) => lines.filter((line) => line.startsWith(start)).length;
  return count('{"ev":"done"') >= 2 && count('{"ev":"done"') === count('{"start"');
}

/** How often each chunk was begun, where that is not once. */
export function countRepeatedChunks(job: KnownJob, nodes: LabNode[]): Record<string, number> {
  const counts: Record<string, number> = Object.fromEntries(job.chunks.map((chunk) => [chunk, 0]));
  for (const { chunk } of job.listExecutions(nodes)) counts[chunk] = (counts[chunk] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 1));
}

/** The agent's process on a node, outside its pid namespace; undefined where none runs. */
export function findAgentPid(node: LabNode): number | undefined {
  // The daemon has closed the connection: its parent is the node's init.
  return node.processes().find(({ argv, parent }) => argv.includes("attach") && parent === node.pid)?.pid;
}

/** Paths of the regular files, links and other entries below a folder that are no folders, relative to it, sorted. */
export function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** The SHA-256 of a text, in hexadecimal. */
export function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

const WORKDIRS = ["root/.muster", "home/rig/.muster"];
const EXPECTED_ENTRIES = new Set([
  ".key",
  "job.yaml",
  "project.json",
  "project.tar.gz",
  "journal.ndjson",
  "results",
  "logs",
  "results.ndjson",
  "summary.json",
  "all.ndjson",
  "queue.ndjson",
  "queue.index",
]);

function readResult(job: KnownJob, chunk: string): string | undefined {
  const file = join(job.run, "results", chunk, "r.json");
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
