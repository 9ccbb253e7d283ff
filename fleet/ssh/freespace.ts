import type { SftpRequests } from "./sftprequests.js";

/**
 * Returns the bytes that the user may still write to the file system of `path`; undefined if the server does not support statvfs.
 * Rejects with a ConnectionError.
 */
export async function readFreeBytes(requests: SftpRequests, path: string): Promise<number | undefined> {
  const answer = await requests.requestExtension<Record<string, number | bigint>>("look at", path, (sftp, done) =>
    sftp.ext_openssh_statvfs(path, done),
  );
  if (answer === undefined) return undefined;
  const { f_bavail: blocks, f_frsize: size } = answer.value;
  const free = Number(blocks) * Number(size);
  return Number.isFinite(free) ? free : undefined;
}
