import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import t from "tap";
import { cut } from "./proxy.js";

t.test("a connection is closed whatever is in progress", async (t) => {
  const server = createServer((socket) => socket.on("error", () => {}).resume()).listen(0, "127.0.0.1");
  t.teardown(() => server.close());
  await once(server, "listening");
  const before: Record<string, (socket: Socket) => void> = {
    "in the middle": () => {},
    "while it ends": (socket) => socket.end(),
    "while it ends, with something to say still": (socket) => socket.end(Buffer.alloc(10_000_000)),
    twice: cut,
  };
  for (const [what, prepare] of Object.entries(before)) {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    prepare(socket);
    cut(socket);
    // Rejects where the socket says an error.
    await once(socket, "close");
    t.ok(socket.destroyed, what);
  }
});
