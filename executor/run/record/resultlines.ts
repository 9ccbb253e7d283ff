import { createReadStream, createWriteStream, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fsyncPath } from "../../../schemas/filewrites.js";
import type { Job } from "../../job/job.js";
import type { CardUsage, ReportedValue } from "../agent/protocol.js";
import { failpoint } from "../failpoint.js";
import { LineCoverage } from "./linecoverage.js";

/** A line of results.ndjson: the result of one chunk. `output`: the text of its first output, if that is JSON. */
export interface ResultLine {
  chunk: string;
  node: string;
  slot: number;
  /** The indices of the GPUs that computed it; undefined = none did. */
  gpus?: readonly number[];
  /** These GPUs, as far as they are known. `model`: as the profile of the node says. */
  cards?: readonly { pci: string; model?: string; uuid?: string }[];
  /** What it used of them: of those that were looked at while it ran. */
  usage?: readonly CardUsage[];
  attempt: number;
  seconds: number;
  sha256: string;
  /** The fingerprint of the state that the node was verified to be in, if the job needs playbooks. */
  state?: string;
  /** The files of a chunk some of whose outputs had to be found, by their paths in the folder of results. */
  files?: readonly { path: string; size: number; sha256: string }[];
  /** The intermediate values that its program has reported: [step, value] in order; absent where it reported none. */
  values?: readonly ReportedValue[];
  /** It was stopped on request: its outputs are those that it had by then. */
  stopped?: true;
  output: string | undefined;
}

/** What precedes the output in a line: nothing before it can contain this. */
const OUTPUT_KEY = ',"output":';
/** How many bytes of lines are sorted in memory, and how many files are merged, at a time. */
const SORT_PIECE_BYTES = 1 << 20;
const MERGE_WAYS = 32;
/** How many characters are written at a time. */
const WRITE_BLOCK_CHARS = 1 << 16;

/** Returns the text of a line. The output is copied as the node wrote it, on one line, so integers of any size stay exact. */
export function formatResultLine(line: ResultLine): string {
  const { output, ...rest } = line;
  // A raw line break can only stand between the tokens of a JSON text.
  const value = output === undefined ? "null" : output.trim().replace(/[\r\n]+\s*/g, " ");
  const text = `${JSON.stringify(rest).slice(0, -1)},"output":${value}}\n`;
  // These characters only occur in strings, and newer versions of Node.js take them for line breaks, as other readers do.
  return text.replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/**
 * Sorts the lines of `file` into chunk order by an external merge sort, in a few MiB of memory. Replaces the file atomically at the end.
 * Returns the units that the lines cover.
 */
export async function sortResultLines(file: string, job: Job, piece = SORT_PIECE_BYTES): Promise<LineCoverage> {
  const coverage = new LineCoverage(job);
  let pieces: string[] = [];
  let made = 0;
  let lines: KeyedLine[] = [];
  let bytes = 0;
  let sorted = true;
  let last: KeyedLine | undefined;
  const write = async (sorted: KeyedLine[] | AsyncGenerator<KeyedLine>) => {
    const name = `${file}.piece-${made++}`;
    await writeLines(name, sorted);
    return name;
  };
  const flush = async () => {
    pieces.push(await write(sortByKey(lines)));
    lines = [];
    bytes = 0;
  };
  for await (const line of readKeyedLines(file, job)) {
    coverage.add(line.chunk);
    sorted &&= last === undefined || isBefore(last, line);
    last = line;
    lines.push(line);
    bytes += line.text.length;
    if (bytes >= piece) await flush();
  }
  try {
    if (sorted) return coverage;
    if (pieces.length > 0) await flush();
    while (pieces.length > MERGE_WAYS) {
      const some = pieces.slice(0, MERGE_WAYS);
      pieces = [...pieces.slice(MERGE_WAYS), await write(mergePieces(some, job))];
      for (const name of some) rmSync(name);
    }
    await writeLines(`${file}.sorted`, pieces.length > 0 ? mergePieces(pieces, job) : sortByKey(lines));
    failpoint("sorted");
    replaceFile(`${file}.sorted`, file);
    return coverage;
  } finally {
    removePieces(file);
  }
}

function sortByKey(lines: KeyedLine[]): KeyedLine[] {
  return lines.sort((a, b) => (isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0));
}

function isBefore(one: KeyedLine, other: KeyedLine): boolean {
  return (one.key ?? 0n) < (other.key ?? 0n);
}

/** Removes the files that were merged, and those of an earlier sort that was killed. */
function removePieces(file: string): void {
  const folder = dirname(file);
  for (const name of readdirSync(folder)) if (name.startsWith(`${basename(file)}.piece-`)) rmSync(join(folder, name));
}

/** A line with its chunk and the first unit of that; both are undefined if the line is torn. */
export interface KeyedLine {
  chunk: string | undefined;
  key: bigint | undefined;
  text: string;
}

/** Yields the lines of a results file, from byte `start` on. */
export async function* readKeyedLines(file: string, job: Job, start = 0): AsyncGenerator<KeyedLine> {
  for await (const text of readLines(file, start)) {
    const chunk = parseChunkId(text);
    yield { chunk, key: chunk === undefined ? undefined : job.unitsOf(chunk)?.[0], text };
  }
}

/** Yields the lines of a file, from byte `start` on. node:readline takes three times as long. */
async function* readLines(file: string, start: number): AsyncGenerator<string> {
  let rest = "";
  for await (const block of createReadStream(file, { start, encoding: "utf8" })) {
    const lines = (block as string).split("\n");
    lines[0] = rest + lines[0];
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** Returns the id of the chunk, which is the first value of a line, without parsing the rest. */
function parseChunkId(line: string): string | undefined {
  const end = line.indexOf('","node":');
  return end < 0 ? undefined : (JSON.parse(line.slice('{"chunk":'.length, end + 1)) as string);
}

/** Whether the chunk of a line was stopped on request. Its outputs may be missing, or begun only. */
export function isStoppedLine(line: string): boolean {
  return line.slice(0, line.indexOf(OUTPUT_KEY)).endsWith(',"stopped":true');
}

/** Returns the paths of the files that a line lists, in the folder of results. */
export function listLineFiles(line: string): string[] {
  const { files = [] } = JSON.parse(line) as Pick<ResultLine, "files">;
  return files.map(({ path }) => path);
}

/** Writes lines to a new file. */
export async function writeLines(file: string, lines: Iterable<KeyedLine> | AsyncIterable<KeyedLine>): Promise<void> {
  await pipeline(Readable.from(joinIntoBlocks(lines)), createWriteStream(file, { flags: "w" }));
}

/** Joins lines into larger blocks, because the cost of a stream is per write. */
async function* joinIntoBlocks(lines: Iterable<KeyedLine> | AsyncIterable<KeyedLine>): AsyncGenerator<string> {
  let block = "";
  for await (const { text } of lines) {
    block += `${text}\n`;
    if (block.length < WRITE_BLOCK_CHARS) continue;
    yield block;
    block = "";
  }
  yield block;
}

/** Replaces `file` by the file `by` atomically, after that is fsynced. */
export function replaceFile(by: string, file: string): void {
  fsyncPath(by);
  renameSync(by, file);
}

async function* mergePieces(pieces: string[], job: Job): AsyncGenerator<KeyedLine> {
  const sources = pieces.map((piece) => readKeyedLines(piece, job));
  const heads = await Promise.all(sources.map(async (source) => ({ source, head: (await source.next()).value })));
  for (;;) {
    let least: (typeof heads)[number] | undefined;
    for (const one of heads)
      if (one.head !== undefined && (least === undefined || isBefore(one.head, least.head!))) least = one;
    if (least === undefined) return;
    yield least.head as KeyedLine;
    least.head = (await least.source.next()).value;
  }
}
