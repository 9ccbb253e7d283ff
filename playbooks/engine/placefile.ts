import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { captureOutput } from "../../fleet/cappedoutput.js";
import type { Connection } from "../../fleet/connection.js";
import { ConnectionError } from "../../fleet/connectionerror.js";
import { resolveWithin } from "../../fleet/rejectonabort.js";
import type { ErrorCode } from "../../schemas/errorcodes.js";
import { MusterError } from "../../schemas/errors.js";
import { placeSource } from "../../templates/nodeprograms.js";
import type { FilePlacement, FolderPlacement } from "./resource.js";
import { createSudoError, runAsRoot } from "./sudo.js";

/** How long the program on the node may take to answer after the last byte was sent. */
const PLACE_TIMEOUT_SECONDS = 120;

/**
 * Places a file on a node, see `ChangeContext.place`. Rejects with a MusterError: NO_SPACE, DENIED, READ_ONLY, REFUSED, SUDO, LOST,
 * TIMEOUT, FILE.
 */
export async function placeFile(connection: Connection, file: FilePlacement): Promise<void> {
  const { path, mode, owner, folders } = file;
  const { size, sha256, bytes } = await hashContent(file.content);
  await send(connection, file, { kind: "file", path, mode, owner, folders, size, sha256 }, bytes);
}

/** Places a folder on a node, see `ChangeContext.folder`. Rejects as `placeFile` does. */
export async function placeFolder(connection: Connection, folder: FolderPlacement): Promise<void> {
  const { path, mode, owner } = folder;
  await send(connection, folder, { kind: "folder", path, mode, owner }, () => Readable.from([]));
}

async function hashContent(content: FilePlacement["content"]) {
  if (content instanceof Uint8Array) {
    const sha256 = createHash("sha256").update(content).digest("hex");
    return { size: content.length, sha256, bytes: () => Readable.from([content]) };
  }
  const { local } = content;
  const hash = createHash("sha256");
  for await (const part of createReadStream(local)) hash.update(part as Buffer);
  return { size: (await stat(local)).size, sha256: hash.digest("hex"), bytes: () => createReadStream(local) };
}

async function send(
  connection: Connection,
  target: FolderPlacement,
  job: object,
  bytes: () => Readable,
): Promise<void> {
  const argv = [connection.node.python, "-c", placeSource()];
  const channel = await connection.open(target.become ? runAsRoot(argv) : argv);
  const [output, errorOutput] = [captureOutput(channel.stdout, 65536), captureOutput(channel.stderr, 65536)];
  try {
    channel.stdin.write(`${JSON.stringify(job)}\n`);
    // If the program rejects the file, it ends without reading all of it; its answer has the reason.
    const ended = new AbortController();
    void channel.ended.then(() => ended.abort());
    await pipeline(bytes(), channel.stdin, { signal: ended.signal }).catch(() => {});
    const ending = await resolveWithin(channel.ended, PLACE_TIMEOUT_SECONDS * 1000);
    const where = { node: connection.node.name, step: `write ${target.path}` };
    if (ending === undefined)
      throw new ConnectionError("TIMEOUT", where, `no answer within ${PLACE_TIMEOUT_SECONDS} s`);
    if (ending.kind === "lost") throw new ConnectionError("LOST", where, ending.reason);
    await Promise.all([output.ended, errorOutput.ended]);
    throwPlaceError(target, output.text(), errorOutput.text());
  } finally {
    channel.destroy();
  }
}

/** Throws the error that the program reports, if any. */
function throwPlaceError(target: FolderPlacement, output: string, errorOutput: string): void {
  const line = output.split("\n").findLast((one) => one.startsWith('{"muster_place": 1'));
  if (line === undefined) {
    const last = errorOutput.trim().split("\n").at(-1) ?? "";
    if (target.become && /sudo/.test(errorOutput)) throw createSudoError(last);
    throw new MusterError("FILE", `${target.path}: cannot be written: ${last}`);
  }
  const { error, reason } = JSON.parse(line) as { error?: string; reason?: string };
  if (error === undefined) return;
  const code = PLACE_ERROR_CODES[error] ?? "FILE";
  throw new MusterError(code, `${target.path}: ${reason}`, { next: PLACE_ERROR_NEXT[code] });
}

/** By what the program reports: a name of an errno, or REFUSED. */
const PLACE_ERROR_CODES: Readonly<Record<string, ErrorCode>> = {
  REFUSED: "REFUSED",
  EACCES: "DENIED",
  EPERM: "DENIED",
  EROFS: "READ_ONLY",
  ENOSPC: "NO_SPACE",
  EDQUOT: "NO_SPACE",
};

const PLACE_ERROR_NEXT: { readonly [code in ErrorCode]?: string } = {
  DENIED: "Give the user permission to write there, or log in as root.",
  READ_ONLY: "Its file system is mounted read-only, often after a disk error: check dmesg there.",
  NO_SPACE: "Free some space there.",
};
