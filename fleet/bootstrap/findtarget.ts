import { dirname } from "node:path";
import { MusterError } from "../../schemas/errors.js";
import { formatJson } from "../../schemas/escape.js";
import { parseSource } from "../../schemas/parsesource.js";
import type { InventoryFile } from "../../schemas/types.js";
import type { Dialer } from "../connect.js";
import type { HostRequest } from "../discovery/hostrequest.js";
import { parseInventory } from "../inventory.js";
import type { Node } from "../node.js";

/** A machine that is to be a node. `isListed`: the inventory has it. */
export interface BootstrapTarget {
  node: Node;
  request: HostRequest;
  isListed: boolean;
}

/** Returns a node for a machine that the inventory does not have, with the defaults of its file. `value`: undefined where there is no file. */
export function createUnlistedNode(request: HostRequest, file: string, value: InventoryFile | undefined): Node {
  const { host, user, port, identityFile } = request;
  const keys = { host, user, port, ...(identityFile === undefined ? {} : { identity_file: identityFile }) };
  const text = formatJson({ defaults: value?.defaults, nodes: { new: keys } });
  const path = `${dirname(file)}/inventory.json`;
  const [node] = parseInventory(parseSource(path, text), path).nodes;
  return { ...node!, name: request.name ?? host };
}

/**
 * Finds the node of the inventory that is a machine: by its name, else by the address and user that ~/.ssh/config resolves both to. Rejects
 * with a MusterError (CONFIG) where the inventory has the machine with another user, or under another name than the one that is wanted.
 */
export async function findTarget(
  dialer: Dialer,
  word: string,
  request: HostRequest,
  unlisted: Node,
  nodes: readonly Node[],
): Promise<BootstrapTarget> {
  const named = nodes.find(({ name, connection }) => name === word && connection === "ssh");
  if (named !== undefined) return accept(named, request);
  const wanted = await dialer.loginOf(unlisted);
  const others = nodes.filter(({ connection }) => connection === "ssh");
  const logins = await Promise.all(others.map((node) => dialer.loginOf(node).catch(() => undefined)));
  const same = others.filter((_, index) => logins[index]?.host === wanted.host && logins[index]?.port === wanted.port);
  const exact = same.find((node) => logins[others.indexOf(node)]?.user === wanted.user);
  if (exact !== undefined) return accept(exact, request);
  const [other] = same;
  if (other !== undefined)
    throw new MusterError(
      "CONFIG",
      `inventory: it has this machine as ${other.name}, with the user ${logins[others.indexOf(other)]?.user}`,
      {
        node: unlisted.name,
        next: `Name the node (muster bootstrap ${other.name}), or change its user: in the inventory first.`,
      },
    );
  if (request.name !== undefined && nodes.some(({ name }) => name === request.name))
    throw new MusterError("CONFIG", `inventory: it has another node with the name ${request.name}`, {
      node: unlisted.name,
      next: "Choose another one with --name.",
    });
  return { node: unlisted, request, isListed: false };
}

function accept(node: Node, request: HostRequest): BootstrapTarget {
  if (request.name !== undefined && request.name !== node.name)
    throw new MusterError("CONFIG", `inventory: it has this machine under the name ${node.name}`, {
      node: request.name,
      next: "Leave out --name, or rename the node in the inventory first.",
    });
  return { node, request, isListed: true };
}
