import { open } from "node:fs/promises";

/** The bytes of an upload. */
export interface UploadSource {
  /** The size in bytes, as it is now. */
  size(): Promise<number>;
  /** Fills `block` with `length` bytes from `offset`; resolves with how many there were. */
  read(block: Buffer, length: number, offset: number): Promise<number>;
  close(): Promise<void>;
}

/** Opens a local file, or takes bytes as they are. Rejects where the file cannot be opened. */
export async function openUploadSource(local: string | Buffer): Promise<UploadSource> {
  if (typeof local !== "string")
    return {
      size: async () => local.length,
      read: async (block, length, offset) => local.copy(block, 0, offset, offset + length),
      close: async () => {},
    };
  const file = await open(local, "r");
  return {
    size: async () => (await file.stat()).size,
    read: async (block, length, offset) => (await file.read(block, 0, length, offset)).bytesRead,
    close: () => file.close(),
  };
}
