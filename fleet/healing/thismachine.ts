import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import type { Dialer } from "../connect.js";
import { ConnectionError } from "../connectionerror.js";
import type { Node } from "../node.js";
import { resolveWithin } from "../rejectonabort.js";

const LOOKUP_TIMEOUT_MS = 5000;

/** Where the machine of a node is. */
export interface Machine {
  /** Its addresses, or its name where they cannot be found: nodes with the same text are on one machine. */
  id: string;
  isThisMachine: boolean;
}

/**
 * Finds the machine of a node. It is this one where the node is local, has one of the addresses or the name of this machine, or has its boot
 * id. `boot`: the node's, as far as it is known.
 */
export async function findMachine(node: Node, dialer: Dialer, boot: string | undefined): Promise<Machine> {
  const host = await findHost(node, dialer);
  const addresses = await findAddresses(host);
  const isThisMachine =
    node.connection === "local" ||
    (boot !== undefined && boot === readBootId()) ||
    isOwnName(host) ||
    addresses.some((address) => listOwnAddresses().has(address));
  return { id: isThisMachine ? "this machine" : addresses.sort().join() || host, isThisMachine };
}

async function findHost(node: Node, dialer: Dialer): Promise<string> {
  try {
    return await dialer.hostOf(node);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    return node.host;
  }
}

async function findAddresses(host: string): Promise<string[]> {
  const found = await resolveWithin(
    lookup(host, { all: true }).catch(() => []),
    LOOKUP_TIMEOUT_MS,
  );
  return (found ?? []).map(({ address }) => address);
}

function isOwnName(host: string): boolean {
  const own = hostname().toLowerCase();
  return ["localhost", "127.0.0.1", "::1", own, own.split(".")[0]].includes(host.toLowerCase());
}

function listOwnAddresses(): Set<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)));
}

/** Returns the boot id of this machine; undefined where the kernel does not say. */
function readBootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
}
