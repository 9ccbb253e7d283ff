import type { SftpRequests } from "./sftprequests.js";

/** Bytes that the user may still write where `path` is; undefined where the server cannot say. */
export async function readFreeBytes(requests: SftpRequests, path: string): Promise<number | undefined> {
  const answer = await requests.requestExtension<Record<string, number | bigint>>("look at", path, (sftp, done) =>
    sftp.ext_openssh_statvfs(path, done),
  );
  if (answer === undefined) return undefined;
  const { f_bavail: blocks, f_frsize: size } = answer.value;
  const free = Number(blocks) * Number(size);
  return Number.isFinite(free) ? free : undefined;
}
