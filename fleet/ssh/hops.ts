import { ConnectionError, type NodeStep } from "../connectionerror.js";
import type { Node } from "../node.js";
import { createHop, type Hop } from "./hop.js";
import type { HostAlias } from "./sshconfigquery.js";
import { findSetting } from "./sshoptions.js";
import type { HostSettings, SshSettings } from "./sshsettings.js";

/** The longest chain of jump hosts that have jump hosts of their own. */
const MAX_JUMP_DEPTH = 8;

/**
 * Resolves the chain of machines from here to the node, the node last: the settings of `ssh -G`, overridden by the inventory.
 * Rejects with a ConnectionError (CONFIG).
 */
export async function resolveHops(node: Node, sshSettings: SshSettings): Promise<Hop[]> {
  const { host: alias, port, user, via } = node;
  const where = { node: node.name, step: "ssh configuration" };
  const settings = await sshSettings.resolve({ alias, port, user }, where);
  const hop = createHop({ alias, port, user }, settings, where, node);
  const jumps = await resolveJumps(settings, sshSettings, where, 0);
  if (jumps.length > 0 || hop.proxyCommand !== undefined || via === undefined) return [...jumps, hop];
  return [...(await resolveHops(via, sshSettings)), hop];
}

/** Resolves the jump hosts before a machine. `ssh -G` prints either ProxyJump or ProxyCommand: the one that is set first. */
async function resolveJumps(
  settings: HostSettings,
  sshSettings: SshSettings,
  where: NodeStep,
  depth: number,
): Promise<Hop[]> {
  const jumps = (findSetting(settings, "ProxyJump") ?? "").split(",").filter((jump) => jump !== "");
  if (jumps.length === 0) return [];
  if (depth === MAX_JUMP_DEPTH) throw new ConnectionError("CONFIG", where, "ProxyJump forms a cycle");
  const names = jumps.map(parseJumpHost);
  const all = await Promise.all(names.map((name) => sshSettings.resolve(name, where)));
  // Only the first one is dialled from here, so only its own ProxyJump and ProxyCommand count.
  const before = await resolveJumps(all[0]!, sshSettings, where, depth + 1);
  return [...before, ...all.map((settings, index) => createJumpHop(names[index]!, settings, index === 0, where))];
}

function createJumpHop(name: HostAlias, settings: HostSettings, isFirst: boolean, where: NodeStep): Hop {
  const hop = createHop(name, settings, { ...where, step: `ssh configuration of jump host ${name.alias}` });
  return isFirst ? hop : { ...hop, proxyCommand: undefined, proxyTemplate: undefined };
}

/** Parses `[user@]host[:port]`, also as an ssh:// URL; IPv6 addresses in brackets. */
export function parseJumpHost(text: string): HostAlias {
  const [, user, bracketed, bare, port] =
    /^(?:ssh:\/\/)?(?:(.+)@)?(?:\[([^\]]+)\]|([^:]+|.*:.*:.*?))(?::(\d+))?\/?$/.exec(text.trim()) ?? [];
  return { alias: bracketed ?? bare ?? text, port: port === undefined ? undefined : Number(port), user };
}
