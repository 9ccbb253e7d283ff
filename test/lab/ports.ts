import type { ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { listFamily } from "./processes.js";

/** Whether this process could listen there. */
export function isPortFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: address, port }, () => server.close(() => resolve(true)));
  });
}

/** A free port at `address`, chosen by the kernel. */
export function findFreePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: address, port: 0 }, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === "object" && bound !== null ? bound.port : 0));
    });
  });
}

/**
 * Resolves when the sshd that `init` is, or is the parent of, listens; rejects after 10 s or once `dead()`.
 * Seen by the title it then takes: a connect that says nothing counts as an attack with newer sshds, and reading
 * /proc/net/tcp takes milliseconds.
 */
export async function awaitSshd(init: number, dead: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!listFamily(init).some(({ argv }) => argv[0]!.includes("[listener]"))) {
    if (dead()) throw new Error("the node ended before its sshd listened");
    if (performance.now() > deadline) throw new Error("no sshd after 10 s");
    await wait(5);
  }
}

/** The first line that a program prints; rejects with its stderr if it ends before. */
export function readFirstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = "";
    let err = "";
    child.stderr?.on("data", (piece) => {
      err += piece;
    });
    child.stdout?.on("data", (piece) => {
      out += piece;
      const end = out.indexOf("\n");
      if (end >= 0) resolve(out.slice(0, end));
    });
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`ended with ${code} before it was up: ${err.trim()}`)));
  });
}
