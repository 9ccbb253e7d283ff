import { hash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import pRetry from "p-retry";
import { MusterError } from "../../../schemas/errors.js";
import type { Attempt } from "../../schedule/events.js";
import type { DoneMessage, OutputReport } from "../agent/protocol.js";
import type { ResultSource } from "../node/attachment.js";
import type { DiskReservation } from "./diskspace.js";
import type { VerifiedOutput } from "./publish.js";

/** How often a file is pulled at most, if its bytes are not those that the node hashed. */
const MAX_PULL_ATTEMPTS = 3;

/**
 * Returns the outputs of an attempt, verified by size and SHA-256 against the report of its node. Small ones arrived with the report; the
 * others are pulled into files once their space is reserved. Rejects with CORRUPT (3) if an output is larger than `limit` bytes or its
 * bytes keep differing, with the ConnectionError of a pull, or with a DiskError of this machine. File names are made from declared
 * outputs and attempt ids, never from what the node reports.
 */
export async function pullOutputs(
  attempt: Attempt,
  done: DoneMessage,
  source: ResultSource,
  reservation: DiskReservation,
  limit: number,
): Promise<VerifiedOutput[]> {
  const pulls = attempt.chunk.spec.outputs.map(async (path, index) => {
    const report = done.outputs.find((one) => one.path === path);
    if (report === undefined) throw createCorruptError(attempt, path, "the node does not report it");
    if (report.size > limit)
      throw createCorruptError(attempt, path, `it has ${report.size} bytes, more than the ${limit} allowed`);
    if (report.data !== undefined) return verifyInline(attempt, report, Buffer.from(report.data, "base64"));
    const remote = `${source.root}/a/${attempt.id}/work/${path}`;
    const local = join(reservation.folder, `${attempt.id}.${index}`);
    return reservation.withReservation(report.size, () => pullFile(attempt, report, remote, local, source));
  });
  // All pulls must have ended before the attempt may be pulled again.
  const ended = await Promise.allSettled(pulls);
  const outputs = ended.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failed = ended.find((one) => one.status === "rejected");
  if (failed === undefined) return outputs;
  deletePulled(outputs);
  throw failed.reason;
}

/** Deletes the pulled files of outputs that are not needed. */
export function deletePulled(outputs: VerifiedOutput[]): void {
  for (const { content } of outputs) if ("pulled" in content) rmSync(content.pulled, { force: true });
}

function verifyInline(attempt: Attempt, report: OutputReport, bytes: Buffer): VerifiedOutput {
  const sha256 = hash("sha256", bytes, "hex");
  if (bytes.length !== report.size || sha256 !== report.sha256)
    throw createCorruptError(attempt, report.path, "its bytes differ");
  return { path: report.path, sha256, size: bytes.length, content: { bytes } };
}

async function pullFile(
  attempt: Attempt,
  report: OutputReport,
  remote: string,
  local: string,
  source: ResultSource,
): Promise<VerifiedOutput> {
  const once = async (): Promise<VerifiedOutput> => {
    rmSync(local, { force: true });
    const files = await source.files();
    const { size, sha256 } = await files.download(remote, local, report.size);
    if (size === report.size && sha256 === report.sha256)
      return { path: report.path, sha256, size, content: { pulled: local } };
    rmSync(local, { force: true });
    throw createCorruptError(attempt, report.path, "its bytes differ from those that the node hashed");
  };
  return pRetry(once, { retries: MAX_PULL_ATTEMPTS - 1, minTimeout: 0, shouldRetry: ({ error }) => isCorrupt(error) });
}

function isCorrupt(error: unknown): boolean {
  return error instanceof MusterError && error.code === "CORRUPT";
}

function createCorruptError(attempt: Attempt, path: string, why: string): MusterError {
  return new MusterError("CORRUPT", `output ${path} of chunk ${attempt.chunk.id} from ${attempt.node}: ${why}`);
}
