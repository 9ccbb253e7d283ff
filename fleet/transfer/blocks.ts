/** Bytes in one request: the most that OpenSSH accepts in one of SFTP. */
export const BLOCK_BYTES = 255 * 1024;

/** Yields the `[offset, length]` of each block of a file of `size` bytes. */
export function* splitIntoBlocks(size: number): Generator<[offset: number, length: number]> {
  for (let offset = 0; offset < size; offset += BLOCK_BYTES) yield [offset, Math.min(BLOCK_BYTES, size - offset)];
}

/**
 * Buffers for the blocks of one transfer. Released buffers are reused, so a transfer needs the memory of its request window only,
 * however late the garbage collector runs.
 */
export class BlockPool {
  private readonly free: Buffer[] = [];

  take(length: number): Buffer {
    return length === BLOCK_BYTES ? (this.free.pop() ?? Buffer.allocUnsafe(BLOCK_BYTES)) : Buffer.allocUnsafe(length);
  }

  /** Returns a buffer that is no longer in use to the pool. The short last block of a file is dropped. */
  release(block: Buffer): void {
    if (block.length === BLOCK_BYTES) this.free.push(block);
  }
}
