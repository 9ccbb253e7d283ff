import { createReadStream, createWriteStream, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { MusterError } from "../../../schemas/errors.js";
import type { Job } from "../../job/job.js";
import { failpoint } from "../failpoint.js";
import { isStoppedLine } from "../record/resultlines.js";
import { locateResultFile } from "../record/resultsfolder.js";
import type { RunDirectory } from "../record/rundir.js";
import { explainNotANumber, NAN_ADVICE, parseOutput } from "./jsontext.js";

/**
 * Merges the output `from` of every chunk, in chunk order, into the file `to` of the run directory; not of chunks that were stopped. `concat`
 * joins the bytes, `lines` writes one line per output (JSON is put on one line), and `array` one JSON array (arrays are flattened by one level).
 * Values are copied as text, so integers of any size stay exact. Only one output is in memory at a time.
 */
export async function aggregate(
  directory: Pick<RunDirectory, "path" | "results">,
  job: Job,
  wanted: NonNullable<Job["aggregate"]>,
): Promise<void> {
  const to = join(directory.path, wanted.to);
  const contents = readChunkOutputs(directory, job, wanted.from);
  const formatters = { concat: keepBytes, lines: formatLines, array: formatArray };
  await pipeline(formatters[wanted.as](contents, job.nanAsNull === true), createWriteStream(`${to}.partial`));
  failpoint("aggregated");
  renameSync(`${to}.partial`, to);
}

/** An output of a chunk, and the name that messages give it. */
interface ChunkOutput {
  name: string;
  content: Buffer;
}

async function* keepBytes(outputs: AsyncIterable<ChunkOutput>): AsyncGenerator<Buffer> {
  for await (const { content } of outputs) yield content;
}

async function* formatLines(outputs: AsyncIterable<ChunkOutput>, nanAsNull: boolean): AsyncGenerator<string> {
  for await (const output of outputs) yield asLines(output, nanAsNull);
}

async function* formatArray(outputs: AsyncIterable<ChunkOutput>, nanAsNull: boolean): AsyncGenerator<string> {
  yield "[";
  let first = true;
  for await (const output of outputs) {
    const items = arrayElements(output, nanAsNull);
    if (items === "") continue;
    yield `${first ? "\n" : ",\n"}${items}`;
    first = false;
  }
  yield first ? "]\n" : "\n]\n";
}

/** Yields the output `from` of every chunk, in chunk order. */
async function* readChunkOutputs(
  { path, results }: Pick<RunDirectory, "path" | "results">,
  job: Job,
  from: string,
): AsyncGenerator<ChunkOutput> {
  const lines = createInterface({
    input: createReadStream(join(path, "results.ndjson")),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) {
    if (isStoppedLine(line)) continue;
    if (job.collect === "lines") {
      const content = Buffer.from(line.slice(line.indexOf('"output":') + '"output":'.length, -1));
      yield { name: from, content };
    } else {
      const units = job.unitsOf((JSON.parse(line) as { chunk: string }).chunk);
      const file = units && locateResultFile(results, job.chunk(...units), from);
      if (file !== undefined) yield { name: file, content: readFileSync(file) };
    }
  }
}

/** Returns JSON on one line, and other text unchanged, with a line break at the end. */
function asLines({ name, content }: ChunkOutput, nanAsNull: boolean): string {
  const text = content.toString("utf8");
  if (text === "") return "";
  const json = readJson(name, text, nanAsNull);
  if (json !== undefined) return `${json.trim().replace(/[\r\n]+\s*/g, " ")}\n`;
  return text.endsWith("\n") ? text : `${text}\n`;
}

/**
 * Returns the text between the brackets of a JSON array, another JSON value as it is, other text as a JSON string, and "" for an empty
 * output.
 */
function arrayElements({ name, content }: ChunkOutput, nanAsNull: boolean): string {
  const text = content.toString("utf8");
  if (text.trim() === "") return "";
  const value = readJson(name, text, nanAsNull)?.trim();
  if (value === undefined) return JSON.stringify(text);
  return value.startsWith("[") ? value.slice(1, -1).trim() : value;
}

/** Returns the text of a JSON value; undefined for other text. Throws NOT_JSON (3) for JSON with NaN, which a reader would refuse. */
function readJson(name: string, text: string, nanAsNull: boolean): string | undefined {
  const parsed = parseOutput(text, nanAsNull);
  if (parsed.kind === "json") return parsed.text;
  if (parsed.kind === "text") return undefined;
  throw new MusterError("NOT_JSON", explainNotANumber(name, text, parsed), { next: NAN_ADVICE });
}
