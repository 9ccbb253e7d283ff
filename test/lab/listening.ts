import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

/** Whether this process could listen there. */
export function portFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: address, port }, () => server.close(() => resolve(true)));
  });
}

/** A free port at `address`, chosen by the kernel. */
export function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: address, port: 0 }, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === "object" && bound !== null ? bound.port : 0));
    });
  });
}

/** `127.0.1.2`, 22 -> the spelling of /proc/net/tcp: the address little-endian, then the port, in hex. */
function spelled(address: string, port: number): string {
  const bytes = address.split(".").reverse().map(Number);
  const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, "0");
  return `${bytes.map((byte) => hex(byte, 2)).join("")}:${hex(port, 4)}`;
}

/** Read from the kernel's table: a connect that says nothing counts as an attack with newer sshds. */
export function isListening(address: string, port: number): boolean {
  const wanted = spelled(address, port);
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n");
  return rows.some((row) => {
    const [, local, , state] = row.trim().split(/\s+/);
    return local === wanted && state === "0A";
  });
}

/** Resolves when something listens there; rejects after 10 s or once `dead()`. */
export async function listening(address: string, port: number, dead: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isListening(address, port)) {
    if (dead()) throw new Error(`the node at ${address}:${port} ended before its sshd listened`);
    if (performance.now() > deadline) throw new Error(`no sshd at ${address}:${port} after 10 s`);
    await wait(3);
  }
}

/** The first line that a program prints; rejects with its stderr if it ends before. */
export function firstProgramLine(child: ChildProcess): Promise<string> {
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
