import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pluralize } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { suggest } from "../schemas/suggest.js";
import type { CommonOptions } from "./options.js";
import { explainNoRun } from "./rundirectory.js";
import { printBytes } from "./terminal.js";

export interface LogsOptions extends CommonOptions {
  out?: boolean;
  err?: boolean;
}

/**
 * `muster logs RUN CHUNK`: prints the stdout and then the stderr of a chunk, or only one of them with `--out` or `--err`. The command of
 * a pipeline step is the chunk `command` of RUN/STEP. On a terminal, escape sequences are shown as text; elsewhere every byte is printed
 * as the chunk wrote it. Returns 0.
 */
export async function logs(run: string, chunk: string, options: LogsOptions, writers: Writers): Promise<number> {
  const folder = [resolve(run), resolve("runs", run)]
    .map((path) => join(path, "logs"))
    .find((path) => existsSync(path));
  if (folder === undefined) throw explainNoRun(run, "is neither a run directory nor the name of one in ./runs");
  const files = readdirSync(folder);
  const streams = selectStreams(options).filter((stream) => files.includes(`${chunk}.${stream}`));
  if (!selectStreams({}).some((stream) => files.includes(`${chunk}.${stream}`)))
    throw unknownChunkError(run, chunk, files);
  const read = (stream: string) => readFileSync(join(folder, `${chunk}.${stream}`));
  if (options.json) {
    const text = (stream: "out" | "err") => (streams.includes(stream) ? read(stream).toString("utf8") : "");
    writers.out(formatJson({ chunk, stdout: text("out"), stderr: text("err") }, 2));
    return 0;
  }
  for (const stream of streams) {
    if (streams.length > 1) writers.err(`== ${stream === "out" ? "stdout" : "stderr"} of ${chunk}`);
    printBytes(read(stream));
  }
  return 0;
}

function selectStreams({ out, err }: LogsOptions): ("out" | "err")[] {
  return out === err ? ["out", "err"] : [out ? "out" : "err"];
}

function unknownChunkError(run: string, chunk: string, files: string[]): UsageError {
  const known = [...new Set(files.filter((name) => /\.(out|err)$/.test(name)).map((name) => name.slice(0, -4)))];
  if (known.length === 0) return new UsageError(`${run}: no chunk has printed anything`, `muster status ${run}`);
  const others = `${pluralize(known.length, "chunk")} printed something, for example ${known[0]}.`;
  return new UsageError(
    `${run}: chunk "${chunk}" does not exist or has printed nothing`,
    suggest(chunk, known) ?? others,
  );
}
