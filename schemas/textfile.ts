import { readFileSync, readlinkSync, statSync } from "node:fs";
import { InvalidFileError } from "./errors.js";
import { describeNoFile, describeSystemError } from "./systemerror.js";

const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** Reads a UTF-8 text file of at most 64 MiB. Throws InvalidFileError. */
export function readTextFile(file: string): string {
  const fail = (message: string, hint?: string) => new InvalidFileError([{ file, message, hint }]);
  return decode(readBytes(file, fail), fail);
}

/** Reads UTF-8 text of at most 64 MiB to the end of a stream. `name`: of the stream, in messages. Rejects with InvalidFileError. */
export async function readTextStream(stream: AsyncIterable<Buffer>, name: string): Promise<string> {
  const fail = (message: string, hint?: string) => new InvalidFileError([{ file: name, message, hint }]);
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream) {
    size += piece.length;
    if (size > MAX_FILE_BYTES) throw fail("is larger than 64 MiB", "split it into several parts");
    pieces.push(piece);
  }
  return decode(Buffer.concat(pieces), fail);
}

type Fail = (message: string, hint?: string) => InvalidFileError;

function decode(bytes: Buffer, fail: Fail): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw fail("is not UTF-8 text", "save it as UTF-8");
  }
}

function readBytes(file: string, fail: Fail): Buffer {
  try {
    const stat = statSync(file);
    if (!stat.isFile()) throw fail(describeNoFile(stat), stat.isFIFO() ? "write it to a file first" : "name a file");
    if (stat.size > MAX_FILE_BYTES)
      throw fail(`is larger than 64 MiB (${stat.size} bytes)`, "split it into several files");
    return readFileSync(file);
  } catch (error) {
    if (error instanceof InvalidFileError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw fail("there is no such file", describeDanglingLink(file));
    const refusal = describeSystemError(error);
    throw refusal === undefined ? error : fail(refusal.reason, refusal.hint);
  }
}

/** Returns where a link leads that leads to no file; undefined if the path is no link. */
function describeDanglingLink(path: string): string | undefined {
  try {
    return `it is a link to ${readlinkSync(path)}, which does not exist`;
  } catch {
    return undefined;
  }
}
