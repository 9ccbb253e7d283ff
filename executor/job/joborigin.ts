import { parseSource } from "../../schemas/parsesource.js";
import type { Source } from "../../schemas/source.js";
import { readTextFile } from "../../schemas/textfile.js";
import { InputOverrides } from "./inputoverrides.js";
import type { JobOrigin } from "./job.js";

/** The options of `loadJob` that a job's origin keeps. */
export interface OriginOptions {
  set?: Record<string, string>;
  range?: [bigint, bigint];
  inputOverrides?: InputOverrides;
}

/** Returns the origin of a job that was loaded with these options. */
export function describeOrigin(file: string, folder: string, options: OriginOptions): JobOrigin {
  const { set = {}, range, inputOverrides } = options;
  const inputs = inputOverrides?.listParts() ?? [];
  return {
    file,
    folder,
    ...(Object.keys(set).length === 0 ? {} : { set }),
    ...(range === undefined ? {} : { range: [`${range[0]}`, `${range[1]}`] }),
    ...(inputs.length === 0 ? {} : { inputs }),
  };
}

/**
 * Returns what `loadJob` takes to load a job again from `copy`, a copy of its file. Throws InvalidFileError where the copy cannot be
 * read.
 */
export function restoreOrigin(
  { file, folder, set, range, inputs }: JobOrigin,
  copy: string,
): { source: Source; options: OriginOptions & { folder: string } } {
  const options = {
    folder,
    ...(set === undefined ? {} : { set }),
    ...(range === undefined ? {} : { range: [BigInt(range[0]), BigInt(range[1])] as [bigint, bigint] }),
    inputOverrides: new InputOverrides(new Map(inputs)),
  };
  return { source: parseSource(file, readTextFile(copy)), options };
}
