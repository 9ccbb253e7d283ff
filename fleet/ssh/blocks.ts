/** What one SFTP request carries: the most that OpenSSH takes in one. */
const BLOCK_BYTES = 255 * 1024;

/** `[offset, length]` of the blocks of `size` bytes. */
export function* splitIntoBlocks(size: number): Generator<[offset: number, length: number]> {
  for (let offset = 0; offset < size; offset += BLOCK_BYTES) yield [offset, Math.min(BLOCK_BYTES, size - offset)];
}

/**
 * Buffers for the blocks of one transfer. A buffer is used again once its block is released, so the memory of a transfer is its
 * request window, however late the garbage collector runs.
 */
export class BlockPool {
  private readonly free: Buffer[] = [];

  take(length: number): Buffer {
    return length === BLOCK_BYTES ? (this.free.pop() ?? Buffer.allocUnsafe(BLOCK_BYTES)) : Buffer.allocUnsafe(length);
  }

  /** Takes a buffer back that nobody reads or writes any more. The short last block of a file is not worth keeping. */
  release(block: Buffer): void {
    if (block.length === BLOCK_BYTES) this.free.push(block);
  }
}
