import type { Duplex } from "node:stream";

/**
 * Makes `sock` send everything that is written in one turn of the event loop as one chunk, because ssh2 writes each packet in three
 * parts. Changes and returns `sock`.
 */
export function coalesceWrites<S extends Duplex>(sock: S): S {
  const write = sock.write.bind(sock);
  const coalescingWrite = (bytes: Buffer) => {
    if (sock.writableCorked === 0) {
      sock.cork();
      process.nextTick(() => sock.uncork());
    }
    return write(bytes);
  };
  return Object.assign(sock, { write: coalescingWrite });
}
