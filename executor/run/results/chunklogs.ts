import { createReadStream, createWriteStream, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { DoneMessage, LogReport } from "../agent/protocol.js";
import type { ResultSource } from "../node/attachment.js";
import { CARRIAGE_RETURN, CarriageReturnFolder, foldCarriageReturns } from "../record/carriagereturns.js";
import { MAX_LOG_BYTES } from "../record/rundir.js";
import type { DiskReservation } from "./diskspace.js";
import type { VerifiedOutput } from "./publish.js";

/** Where logs come from and go to. `printed`: stdout, where it is an output and has been pulled. `logs`: the folder for them. */
export interface LogTransfer {
  source: ResultSource;
  printed: VerifiedOutput | undefined;
  logs: string;
  reservation: DiskReservation;
}

/**
 * Saves what a chunk printed to logs/CHUNK.out and logs/CHUNK.err, with lines that were overwritten folded, and replaces what is there.
 * An empty log has no file.
 */
export async function saveLogs(
  attempt: { id: string; chunk: { id: string } },
  done: Pick<DoneMessage, "stdout" | "stderr">,
  transfer: LogTransfer,
): Promise<void> {
  const { source, printed, logs, reservation } = transfer;
  const [out, err] = [join(logs, `${attempt.chunk.id}.out`), join(logs, `${attempt.chunk.id}.err`)];
  const remote = `${source.root}/a/${attempt.id}`;
  if (printed === undefined) await saveLog(done.stdout, out, `${remote}/out`, source, reservation);
  else await savePrinted(printed, out, reservation);
  await saveLog(done.stderr, err, `${remote}/err`, source, reservation);
}

async function savePrinted(
  { content, size }: VerifiedOutput,
  local: string,
  reservation: DiskReservation,
): Promise<void> {
  if (size === 0) return;
  if ("bytes" in content) writeFileSync(local, foldCarriageReturns(content.bytes));
  else await reservation.withReservation(size, () => foldFile(content.pulled, local));
}

async function saveLog(
  report: LogReport,
  local: string,
  remote: string,
  source: ResultSource,
  reservation: DiskReservation,
): Promise<void> {
  if (report.size === 0) return;
  if (report.data !== undefined) {
    writeFileSync(local, foldCarriageReturns(Buffer.from(report.data, "base64")));
    return;
  }
  const pulled = `${local}.pulled`;
  rmSync(pulled, { force: true });
  const files = await source.files();
  await reservation.withReservation(Math.min(report.size, MAX_LOG_BYTES * 2), () =>
    files.download(remote, pulled, MAX_LOG_BYTES * 2),
  );
  if (await hasCarriageReturn(pulled)) {
    const folded = `${local}.folded`;
    await reservation.withReservation(statSync(pulled).size, () => foldFile(pulled, folded));
    rmSync(pulled);
    renameSync(folded, local);
  } else renameSync(pulled, local);
}

async function hasCarriageReturn(file: string): Promise<boolean> {
  for await (const bytes of createReadStream(file)) if ((bytes as Buffer).includes(CARRIAGE_RETURN)) return true;
  return false;
}

/** Writes the folded copy of a log, piece by piece: it may have many megabytes. */
async function foldFile(from: string, to: string): Promise<void> {
  const folder = new CarriageReturnFolder();
  async function* fold(pieces: AsyncIterable<Buffer>) {
    for await (const bytes of pieces) yield folder.push(bytes);
    yield folder.end();
  }
  await pipeline(createReadStream(from), fold, createWriteStream(to));
}
