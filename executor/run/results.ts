import { createReadStream, createWriteStream, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Job } from "../job/job.js";
import { killPoint } from "./killpoint.js";

/** A line of results.ndjson: what became of one chunk. `output`: the text of its first output where that is JSON. */
export interface ResultLine {
  chunk: string;
  node: string;
  slot: number;
  attempt: number;
  seconds: number;
  sha256: string;
  /** Fingerprint of the state that the node was verified to be in, where the job needs playbooks. */
  state?: string;
  output: string | undefined;
}

/** Bytes of lines that are sorted in memory at once. */
const PIECE = 1 << 20;

/** The line's text. The output goes in as the node wrote it (integers of any size stay exact), on one line. */
export function resultText(line: ResultLine): string {
  const { output, ...rest } = line;
  // A raw line break can only stand between the tokens of a JSON text.
  const value = output === undefined ? "null" : output.trim().replace(/[\r\n]+\s*/g, " ");
  const text = `${JSON.stringify(rest).slice(0, -1)},"output":${value}}\n`;
  // These can only stand in strings; newer versions of Node, like other readers, take them for the end of a line.
  return text.replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/**
 * Puts the lines of `file` into chunk order, by an external merge sort: memory stays at a few MiB however long it
 * is. The file is replaced at the end, in one step.
 */
export async function sortResults(file: string, job: Job): Promise<void> {
  const pieces: string[] = [];
  let lines: Keyed[] = [];
  let bytes = 0;
  let sorted = true;
  let last: Keyed | undefined;
  const flush = async () => {
    lines.sort((a, b) => (isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0));
    pieces.push(`${file}.piece-${pieces.length}`);
    await writeLines(pieces.at(-1)!, lines);
    lines = [];
    bytes = 0;
  };
  for await (const line of keyedLines(file, job)) {
    sorted &&= last === undefined || isBefore(last, line);
    last = line;
    lines.push(line);
    bytes += line.text.length;
    if (bytes >= PIECE) await flush();
  }
  try {
    if (sorted) return;
    await flush();
    await writeLines(`${file}.sorted`, merge(pieces.map((piece) => keyedLines(piece, job))));
    killPoint("sorted");
    renameSync(`${file}.sorted`, file);
  } finally {
    removePieces(file);
  }
}

function isBefore(one: Keyed, other: Keyed): boolean {
  return (one.key ?? 0n) < (other.key ?? 0n);
}

/** Those of a sort that was killed, too. */
function removePieces(file: string): void {
  const folder = dirname(file);
  for (const name of readdirSync(folder)) if (name.startsWith(`${basename(file)}.piece-`)) rmSync(join(folder, name));
}

/** A line with the first unit of its chunk; undefined where it is torn. */
export interface Keyed {
  key: bigint | undefined;
  text: string;
}

/** The lines of a results file, from its byte `start` on. */
export async function* keyedLines(file: string, job: Job, start = 0): AsyncGenerator<Keyed> {
  for await (const text of createInterface({
    input: createReadStream(file, { start }),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    const chunk = chunkOf(text);
    yield { key: chunk === undefined ? undefined : job.unitsOf(chunk)?.[0], text };
  }
}

/** The chunk's id: the first value of a line, so the rest need not be parsed. */
function chunkOf(line: string): string | undefined {
  const end = line.indexOf('","node":');
  return end < 0 ? undefined : (JSON.parse(line.slice('{"chunk":'.length, end + 1)) as string);
}

/** Writes lines to a new file, which is on disk when it resolves. */
export async function writeLines(file: string, lines: Iterable<Keyed> | AsyncIterable<Keyed>): Promise<void> {
  const texts = Readable.from(
    (async function* () {
      for await (const { text } of lines) yield `${text}\n`;
    })(),
  );
  await pipeline(texts, createWriteStream(file, { flags: "w", flush: true }));
}

async function* merge(sources: AsyncGenerator<Keyed>[]): AsyncGenerator<Keyed> {
  const heads = await Promise.all(sources.map(async (source) => ({ source, head: (await source.next()).value })));
  for (;;) {
    let least: (typeof heads)[number] | undefined;
    for (const one of heads)
      if (one.head !== undefined && (least === undefined || isBefore(one.head, least.head!))) least = one;
    if (least === undefined) return;
    yield least.head as Keyed;
    least.head = (await least.source.next()).value;
  }
}
