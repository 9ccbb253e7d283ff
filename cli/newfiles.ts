import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Writers } from "../report/writers.js";
import { MusterError, UsageError } from "../schemas/errors.js";
import { formatJson } from "../schemas/escape.js";
import { describeSystemError } from "../schemas/systemerror.js";

/** A file to write, or a symbolic link to make. */
export type NewFile = { path: string } & ({ text: string } | { target: string });

/** Writes files that do not exist yet, or prints the first one where its path is `-`. `next`: the command to use them with. */
export function writeNewFiles(
  files: readonly NewFile[],
  next: string,
  { quiet, json }: { quiet?: boolean; json?: boolean },
  writers: Writers,
): void {
  const [first] = files;
  if (first?.path === "-" && "text" in first) return writers.out(first.text.trimEnd());
  for (const { path } of files) rejectExisting(path);
  for (const file of files) writeNew(file);
  const paths = files.map(({ path }) => path);
  if (json) writers.out(formatJson({ written: paths.map((path) => resolve(path)), next }, 2));
  else if (!quiet) writers.out(`written: ${paths.join(", ")}\nnext: ${next}`);
}

/** Throws UsageError where a file exists. */
export function rejectExisting(path: string): void {
  if (!existsSync(path)) return;
  throw new UsageError(`init: ${path} exists`, "Name another file with -o FILE, or - to print it.");
}

function writeNew(file: NewFile): void {
  try {
    mkdirSync(dirname(file.path), { recursive: true });
    if ("target" in file) symlinkSync(file.target, file.path);
    else writeFileSync(file.path, file.text, { flag: "wx" });
  } catch (error) {
    const refusal = describeSystemError(error);
    if (refusal === undefined) throw error;
    throw new MusterError("NOT_WRITTEN", `${file.path} ${refusal.reason}`, { next: refusal.hint });
  }
}
