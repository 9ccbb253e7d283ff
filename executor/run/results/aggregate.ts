import { createReadStream, createWriteStream, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import type { Job } from "../../job/job.js";
import { failpoint } from "../failpoint.js";
import { locateOutput } from "../record/resultsfolder.js";
import type { RunDirectory } from "../record/rundir.js";

/**
 * Merges the output `from` of every chunk, in chunk order, into the file `to` of the run directory. `concat` joins the bytes, `lines`
 * writes one line per output (JSON is put on one line), and `array` one JSON array (arrays are flattened by one level). Values are copied
 * as text, so integers of any size stay exact. Only one output is in memory at a time.
 */
export async function aggregate(
  directory: Pick<RunDirectory, "path" | "results">,
  job: Job,
  wanted: NonNullable<Job["aggregate"]>,
): Promise<void> {
  const to = join(directory.path, wanted.to);
  const contents = readChunkOutputs(directory, job, wanted.from);
  await pipeline(FORMATTERS[wanted.as](contents), createWriteStream(`${to}.partial`));
  failpoint("aggregated");
  renameSync(`${to}.partial`, to);
}

/** By format: the pieces of the file. */
const FORMATTERS = { concat: (contents: AsyncIterable<Buffer>) => contents, lines: formatLines, array: formatArray };

async function* formatLines(contents: AsyncIterable<Buffer>): AsyncGenerator<string> {
  for await (const content of contents) yield asLines(content.toString("utf8"));
}

async function* formatArray(contents: AsyncIterable<Buffer>): AsyncGenerator<string> {
  yield "[";
  let first = true;
  for await (const content of contents) {
    const items = arrayElements(content.toString("utf8"));
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
): AsyncGenerator<Buffer> {
  const lines = createInterface({
    input: createReadStream(join(path, "results.ndjson")),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  for await (const line of lines) {
    if (job.collect === "lines") yield Buffer.from(line.slice(line.indexOf('"output":') + '"output":'.length, -1));
    else {
      const units = job.unitsOf((JSON.parse(line) as { chunk: string }).chunk);
      const file = units && locateOutput(results, job.chunk(...units), from);
      if (file !== undefined) yield readFileSync(file);
    }
  }
}

/** Returns JSON on one line, and other text unchanged, with a line break at the end. */
function asLines(text: string): string {
  if (text === "") return "";
  if (isJson(text)) return `${text.trim().replace(/[\r\n]+\s*/g, " ")}\n`;
  return text.endsWith("\n") ? text : `${text}\n`;
}

/** Returns the text between the brackets of a JSON array; any other JSON value unchanged; and text that is not JSON as a string. */
function arrayElements(text: string): string {
  const value = text.trim();
  if (!isJson(value)) return JSON.stringify(text);
  return value.startsWith("[") ? value.slice(1, -1).trim() : value;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
