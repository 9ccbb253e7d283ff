import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../../schedule/events.js";
import type { DoneMessage, LogReport } from "../agent/protocol.js";
import type { Room } from "./disk.js";
import type { Origin } from "./pull.js";

/** Bytes kept of each of stdout and stderr of a chunk; the agent cuts what is longer. */
export const LOG_LIMIT = 16 << 20;

/** Writes what a chunk printed to logs/CHUNK.out and logs/CHUNK.err; a later attempt's replaces it. Nothing printed: no file. */
export async function keepLogs(
  attempt: Attempt,
  done: DoneMessage,
  origin: Origin,
  logs: string,
  room: Room,
): Promise<void> {
  const { id } = attempt.chunk;
  await keepLog(done.stdout, join(logs, `${id}.out`), `${origin.root}/a/${attempt.id}/out`, origin, room);
  await keepLog(done.stderr, join(logs, `${id}.err`), `${origin.root}/a/${attempt.id}/err`, origin, room);
}

async function keepLog(report: LogReport, local: string, remote: string, origin: Origin, room: Room): Promise<void> {
  if (report.size === 0) return;
  if (report.data !== undefined) {
    writeFileSync(local, Buffer.from(report.data, "base64"));
    return;
  }
  const pulled = `${local}.pulled`;
  rmSync(pulled, { force: true });
  const files = await origin.files();
  await room.take(Math.min(report.size, LOG_LIMIT * 2), () => files.download(remote, pulled, LOG_LIMIT * 2));
  renameSync(pulled, local);
}
