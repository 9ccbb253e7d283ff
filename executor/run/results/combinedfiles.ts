import { createReadStream, createWriteStream, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { MusterError } from "../../../schemas/errors.js";
import { fsyncPath } from "../../../schemas/filewrites.js";
import type { Job } from "../../job/job.js";
import { listCombinedFiles, piecePath, publishedPath } from "../../job/resultpath.js";
import { failpoint } from "../failpoint.js";
import { hashFile } from "../record/filehashes.js";
import { isOwnCombined } from "../record/foreignfiles.js";
import { inodeOf } from "../record/ownfile.js";
import { isStoppedLine, readKeyedLines } from "../record/resultlines.js";
import type { RunDirectory } from "../record/rundir.js";
import { makeFolders, syncFolders } from "./publish.js";
import { placeFile } from "./publishshared.js";

const LINE_BREAK = 10;

/**
 * Joins the files of `append` of all committed chunks in chunk order, and publishes them, and the aggregate, in the folder of results.
 * results.ndjson must be sorted. A file that does not end with a line break gets one. Rejects with RESULTS_EXIST (65) where a file of
 * somebody else's lies there.
 */
export async function publishCombinedFiles(job: Job, directory: RunDirectory): Promise<void> {
  const { results, path } = directory;
  const names = listCombinedFiles(job);
  if (names.length === 0) return;
  mkdirSync(results.partial, { recursive: true });
  try {
    for (const appended of job.appended ?? []) {
      const temporary = join(results.partial, "combined");
      await pipeline(joinPieces(job, directory, appended), createWriteStream(temporary));
      await publishCombined(directory, temporary, publishedPath(job.folders.cwd, appended));
    }
    if (results.isShared && job.aggregate !== undefined) {
      const temporary = join(results.partial, "combined");
      await pipeline(createReadStream(join(path, job.aggregate.to)), createWriteStream(temporary));
      await publishCombined(directory, temporary, job.aggregate.to);
    }
  } finally {
    rmSync(results.partial, { recursive: true, force: true });
  }
}

/** Yields what the chunks appended to a file, in chunk order. */
async function* joinPieces(job: Job, { path, results }: RunDirectory, appended: string): AsyncGenerator<Buffer> {
  for await (const { chunk, text } of readKeyedLines(join(path, "results.ndjson"), job)) {
    const units = chunk === undefined || isStoppedLine(text) ? undefined : job.unitsOf(chunk);
    if (units === undefined || !job.chunk(...units).spec.appended?.includes(appended)) continue;
    let last = LINE_BREAK;
    for await (const bytes of createReadStream(join(results.pieces, piecePath(results.layout, chunk!, appended)))) {
      yield bytes as Buffer;
      last = (bytes as Buffer).at(-1)!;
    }
    if (last !== LINE_BREAK) yield Buffer.of(LINE_BREAK);
  }
}

async function publishCombined(
  { results, journal, replay }: RunDirectory,
  temporary: string,
  target: string,
): Promise<void> {
  fsyncPath(temporary);
  const folders = new Set<string>();
  const final = join(results.path, target);
  failpoint("combined");
  if (results.isShared) {
    const { sha256 } = await hashFile(temporary);
    const isOwn = await isOwnCombined(results.path, target, replay);
    journal.add({ e: "publishing", files: [[target, sha256, inodeOf(temporary)]] });
    await journal.flush();
    const reason = placeFile(temporary, results.path, target, isOwn || results.mayReplace, folders);
    if (reason !== undefined)
      throw new MusterError("RESULTS_EXIST", reason, { next: "Move it away, then run the same command again." });
  } else {
    makeFolders(results.path, dirname(target), folders);
    renameSync(temporary, final);
  }
  await syncFolders(folders);
}
