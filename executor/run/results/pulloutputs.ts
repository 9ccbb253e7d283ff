import { hash } from "node:crypto";
import { rmSync } from "node:fs";
import pRetry from "p-retry";
import { MusterError } from "../../../schemas/errors.js";
import type { Attempt } from "../../schedule/events.js";
import type { DoneMessage } from "../agent/protocol.js";
import type { ResultSource } from "../node/attachment.js";
import { isConnectionLost } from "../node/attemptfailure.js";
import type { DiskReservation } from "./diskspace.js";
import { createCorruptError, type MatchedOutput, matchOutputs, type OutputLimits } from "./matchoutputs.js";
import { countPulledBytes, locatePull } from "./partialpulls.js";
import type { VerifiedOutput } from "./publish.js";

/** How often a file is pulled at most, if its bytes are not those that the node hashed. Only the first pull continues an earlier one. */
const MAX_PULL_ATTEMPTS = 3;

/**
 * Returns the outputs of an attempt, verified by size and SHA-256 against the report of its node. Small ones arrived with the report; the
 * others are pulled into files once their space is reserved. A pull that broke off continues where it was. Rejects with CORRUPT (3) as
 * matchOutputs does or if bytes keep differing, with the ConnectionError of a pull, or with a DiskError of this machine. Names of local files
 * are made from attempt ids, never from what the node reports.
 */
export async function pullOutputs(
  attempt: Attempt,
  done: DoneMessage,
  source: ResultSource,
  reservation: DiskReservation,
  limits: OutputLimits,
): Promise<VerifiedOutput[]> {
  const pulls = matchOutputs(attempt.chunk.spec, done, limits).map(async (output, index) => {
    const { report } = output;
    if (report.data !== undefined) return verifyInline(output, Buffer.from(report.data, "base64"));
    const remote = `${source.root}/a/${attempt.id}/${output.remote}`;
    const local = locatePull(reservation.folder, attempt.id, index);
    const missingBytes = Math.max(0, report.size - countPulledBytes(local));
    return reservation.withReservation(missingBytes, () => pullFile(output, remote, local, source));
  });
  // All pulls must have ended before the attempt may be pulled again.
  const ended = await Promise.allSettled(pulls);
  const outputs = ended.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failed = ended.find((one) => one.status === "rejected");
  if (failed === undefined) return outputs;
  dropPulled(outputs, failed.reason);
  throw failed.reason;
}

/** Deletes the pulled files of outputs after an error, unless the attempt will be pulled again: its pull continues where it broke off. */
export function dropPulled(outputs: VerifiedOutput[], error: unknown): void {
  if (!isConnectionLost(error)) deletePulled(outputs);
}

/** Deletes the pulled files of outputs that are not needed. */
export function deletePulled(outputs: VerifiedOutput[]): void {
  for (const { content } of outputs) if ("pulled" in content) rmSync(content.pulled, { force: true });
}

function verifyInline({ path, kind, report }: MatchedOutput, bytes: Buffer): VerifiedOutput {
  const sha256 = hash("sha256", bytes, "hex");
  if (bytes.length !== report.size || sha256 !== report.sha256) throw createCorruptError(path, "its bytes differ");
  return { path, kind, sha256, size: bytes.length, content: { bytes } };
}

async function pullFile(
  { path, kind, report }: MatchedOutput,
  remote: string,
  local: string,
  source: ResultSource,
): Promise<VerifiedOutput> {
  const once = async (): Promise<VerifiedOutput> => {
    const files = await source.files();
    const { size, sha256 } = await files
      .resumeDownload(remote, local, report.size)
      .catch((error) => nameFile(error, local));
    if (size === report.size && sha256 === report.sha256)
      return { path, kind, sha256, size, content: { pulled: local } };
    rmSync(local, { force: true });
    throw createCorruptError(path, "its bytes differ from those that the node hashed");
  };
  return pRetry(once, { retries: MAX_PULL_ATTEMPTS - 1, minTimeout: 0, shouldRetry: ({ error }) => isCorrupt(error) });
}

/** Throws a system error with the name of the file, which errors of write(2) do not have. Other errors are thrown as they are. */
function nameFile(error: unknown, path: string): never {
  const { syscall, path: named } = error as NodeJS.ErrnoException;
  throw syscall !== undefined && named === undefined ? Object.assign(error as Error, { path }) : error;
}

function isCorrupt(error: unknown): boolean {
  return error instanceof MusterError && error.code === "CORRUPT";
}
