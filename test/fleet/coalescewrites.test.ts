import type { Duplex } from "node:stream";
import { Writable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { coalesceWrites } from "../../fleet/ssh/coalescewrites.js";

/** A stream that notes each piece that reaches its system call. */
function noting(): { sock: Duplex; pieces: string[] } {
  const pieces: string[] = [];
  const sock = new Writable({
    write: (chunk, _, done) => {
      pieces.push(`${chunk}`);
      done();
    },
    writev: (chunks, done) => {
      pieces.push(chunks.map(({ chunk }) => `${chunk}`).join(""));
      done();
    },
  });
  return { sock: sock as unknown as Duplex, pieces };
}

t.test("writes of one turn of the event loop are sent together, those of the next turn separately", async (t) => {
  const { sock, pieces } = noting();
  coalesceWrites(sock);
  for (const part of ["length", "packet", "tag"]) sock.write(Buffer.from(part));
  await turn();
  sock.write(Buffer.from("next"));
  await turn();
  t.same(pieces, ["lengthpackettag", "next"]);
});

t.test("nothing is lost if the stream ends in the same turn of the event loop", async (t) => {
  const { sock, pieces } = noting();
  coalesceWrites(sock);
  sock.write(Buffer.from("last"));
  sock.write(Buffer.from("words"));
  sock.end();
  await turn();
  t.equal(pieces.join(""), "lastwords");
});
