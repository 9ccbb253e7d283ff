import type { Duplex } from "node:stream";

/** Has everything that is written to `sock` in one turn go out as one piece: ssh2 writes a packet in three parts. */
export function coalesceWrites<S extends Duplex>(sock: S): S {
  const write = sock.write.bind(sock);
  const gathering = (bytes: Buffer) => {
    if (sock.writableCorked === 0) {
      sock.cork();
      process.nextTick(() => sock.uncork());
    }
    return write(bytes);
  };
  return Object.assign(sock, { write: gathering });
}
