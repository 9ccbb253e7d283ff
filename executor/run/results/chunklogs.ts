import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../../schedule/events.js";
import type { DoneMessage, LogReport } from "../agent/protocol.js";
import type { ResultSource } from "../node/attachment.js";
import { MAX_LOG_BYTES } from "../record/rundir.js";
import type { DiskReservation } from "./diskspace.js";

/** Saves what a chunk printed to logs/CHUNK.out and logs/CHUNK.err, and replaces the logs of earlier attempts. An empty log has no file. */
export async function saveLogs(
  attempt: Attempt,
  done: DoneMessage,
  source: ResultSource,
  logs: string,
  reservation: DiskReservation,
): Promise<void> {
  const { id } = attempt.chunk;
  await saveLog(done.stdout, join(logs, `${id}.out`), `${source.root}/a/${attempt.id}/out`, source, reservation);
  await saveLog(done.stderr, join(logs, `${id}.err`), `${source.root}/a/${attempt.id}/err`, source, reservation);
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
    writeFileSync(local, Buffer.from(report.data, "base64"));
    return;
  }
  const pulled = `${local}.pulled`;
  rmSync(pulled, { force: true });
  const files = await source.files();
  await reservation.withReservation(Math.min(report.size, MAX_LOG_BYTES * 2), () =>
    files.download(remote, pulled, MAX_LOG_BYTES * 2),
  );
  renameSync(pulled, local);
}
