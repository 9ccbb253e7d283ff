import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pluralize } from "../report/format.js";
import type { Writers } from "../report/writers.js";
import { UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { suggest } from "../schemas/suggest.js";
import type { CommonOptions } from "./options.js";
import { printBytes } from "./terminal.js";

export interface LogsOptions extends CommonOptions {
  out?: boolean;
  err?: boolean;
}

/**
 * `muster logs RUN CHUNK`: what a chunk (or `command`, of a step of a pipeline, RUN/STEP) printed, stdout before stderr, or one of them with --out or --err. On a terminal
 * it is shown as text (no escape sequence acts); elsewhere every byte is as the chunk wrote it. Answers 0.
 */
export async function logs(run: string, chunk: string, options: LogsOptions, writers: Writers): Promise<number> {
  const folder = [resolve(run), resolve("runs", run)]
    .map((path) => join(path, "logs"))
    .find((path) => existsSync(path));
  if (folder === undefined) throw new UsageError(`${run}: is neither a run directory nor the name of one in ./runs`);
  const all = readdirSync(folder);
  const parts = selectStreams(options).filter((part) => all.includes(`${chunk}.${part}`));
  if (!selectStreams({}).some((part) => all.includes(`${chunk}.${part}`))) throw unknownChunkError(run, chunk, all);
  const read = (part: string) => readFileSync(join(folder, `${chunk}.${part}`));
  if (options.json) {
    const text = (part: "out" | "err") => (parts.includes(part) ? read(part).toString("utf8") : "");
    writers.out(formatJson({ chunk, stdout: text("out"), stderr: text("err") }, 2));
    return 0;
  }
  for (const part of parts) {
    if (parts.length > 1) writers.err(`== ${part === "out" ? "stdout" : "stderr"} of ${chunk}`);
    printBytes(read(part));
  }
  return 0;
}

function selectStreams({ out, err }: LogsOptions): ("out" | "err")[] {
  return out === err ? ["out", "err"] : [out ? "out" : "err"];
}

function unknownChunkError(run: string, chunk: string, files: string[]): UsageError {
  const known = [...new Set(files.filter((name) => /\.(out|err)$/.test(name)).map((name) => name.slice(0, -4)))];
  if (known.length === 0) return new UsageError(`${run}: no chunk of it has printed anything`, `muster status ${run}`);
  const others = `${pluralize(known.length, "chunk")} of it printed something, for example ${known[0]}.`;
  return new UsageError(
    `${run}: chunk "${chunk}" has printed nothing, or there is none`,
    suggest(chunk, known) ?? others,
  );
}
