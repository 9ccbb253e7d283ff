import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import type { Node } from "../node.js";
import type { HostAlias } from "./sshconfigquery.js";
import type { HostSettings, SshSettings } from "./sshsettings.js";

/** One machine of a chain of jump hosts that ends at a node, with its settings from the inventory and ~/.ssh/config. */
export interface Hop {
  /** The name in the inventory or in ProxyJump. */
  alias: string;
  host: string;
  port: number;
  user: string;
  /** Candidate paths in order; they need not exist. */
  keyFiles: string[];
  /** The inventory names the key file, so it must exist and be usable. */
  isKeyNamed: boolean;
  usesOnlyKeyFiles: boolean;
  /** The socket of the ssh agent. */
  agentSocket?: string;
  userKnownHosts: string[];
  globalKnownHosts: string[];
  /** HostKeyAlias: the machine's name in known_hosts. */
  hostKeyAlias?: string;
  acceptsNewKeys: boolean;
  hashesNames: boolean;
}

/** The longest chain of jump hosts that have jump hosts of their own. */
const MAX_JUMP_DEPTH = 8;

/**
 * Resolves the chain of machines from here to the node, the node last: the settings of `ssh -G`, overridden by the inventory.
 * Rejects with a ConnectionError (CONFIG).
 */
export async function resolveHops(node: Node, sshSettings: SshSettings): Promise<Hop[]> {
  const { host: alias, port, user } = node;
  const where = { node: node.name, step: "ssh configuration" };
  const settings = await sshSettings.resolve({ alias, port, user }, where);
  const hop = createHop({ alias, port, user }, settings);
  if (node.identityFile !== undefined)
    Object.assign(hop, { keyFiles: [expandHome(node.identityFile)], isKeyNamed: true });
  if (node.knownHosts !== undefined) hop.userKnownHosts = [expandHome(node.knownHosts)];
  if (node.hostKeys !== undefined) hop.acceptsNewKeys = node.hostKeys === "accept-new";
  return [...(await resolveJumps(settings, sshSettings, where, 0)), hop];
}

async function resolveJumps(
  settings: HostSettings,
  sshSettings: SshSettings,
  where: NodeStep,
  depth: number,
): Promise<Hop[]> {
  const proxy = readSetting(settings, "proxycommand");
  if (proxy !== undefined) {
    const next = "use ProxyJump, which muster supports";
    throw new ConnectionError("CONFIG", where, `ProxyCommand is not supported: ${proxy}`, { next });
  }
  const jumps = (readSetting(settings, "proxyjump") ?? "").split(",").filter((jump) => jump !== "");
  if (jumps.length === 0) return [];
  if (depth === MAX_JUMP_DEPTH) throw new ConnectionError("CONFIG", where, "ProxyJump forms a cycle");
  const names = jumps.map(parseJumpHost);
  const all = await Promise.all(names.map((name) => sshSettings.resolve(name, where)));
  // Only the first one is dialled from here, so only its own jump hosts count.
  const before = await resolveJumps(all[0]!, sshSettings, where, depth + 1);
  return [...before, ...all.map((settings, index) => createHop(names[index]!, settings))];
}

/** Parses `[user@]host[:port]`, also as an ssh:// URL; IPv6 addresses in brackets. */
export function parseJumpHost(text: string): HostAlias {
  const [, user, bracketed, bare, port] =
    /^(?:ssh:\/\/)?(?:(.+)@)?(?:\[([^\]]+)\]|([^:]+|.*:.*:.*?))(?::(\d+))?\/?$/.exec(text.trim()) ?? [];
  return { alias: bracketed ?? bare ?? text, port: port === undefined ? undefined : Number(port), user };
}

function createHop(name: HostAlias, settings: HostSettings): Hop {
  const host = readSetting(settings, "hostname") ?? name.alias;
  const user = name.user ?? readSetting(settings, "user") ?? userInfo().username;
  const port = name.port ?? Number(readSetting(settings, "port") ?? 22);
  const expand = (path: string) => expandTokens(path, { host, user, port, alias: name.alias });
  const files = settings.get("identityfile")?.map(expand);
  const known = (key: string, otherwise: string[]) =>
    settings.size === 0 ? otherwise : (readSetting(settings, key)?.split(" ").map(expand) ?? []);
  return {
    alias: name.alias,
    host,
    port,
    user,
    keyFiles: files ?? ["id_ed25519", "id_ecdsa", "id_rsa"].map((file) => join(homedir(), ".ssh", file)),
    isKeyNamed: false,
    usesOnlyKeyFiles: readSetting(settings, "identitiesonly") === "yes",
    agentSocket: findAgentSocket(settings.get("identityagent")?.[0], expand),
    userKnownHosts: known("userknownhostsfile", [join(homedir(), ".ssh/known_hosts")]),
    globalKnownHosts: known("globalknownhostsfile", ["/etc/ssh/ssh_known_hosts"]),
    hostKeyAlias: readSetting(settings, "hostkeyalias"),
    acceptsNewKeys: ["accept-new", "no", "off", "false"].includes(readSetting(settings, "stricthostkeychecking") ?? ""),
    hashesNames: readSetting(settings, "hashknownhosts") === "yes",
  };
}

function findAgentSocket(setting: string | undefined, expand: (path: string) => string): string | undefined {
  if (setting === "none") return undefined;
  if (setting === undefined || setting === "SSH_AUTH_SOCK") return process.env.SSH_AUTH_SOCK || undefined;
  return setting.startsWith("$") ? process.env[setting.replace(/^\$\{?|\}$/g, "")] || undefined : expand(setting);
}

/** The first value of a key; undefined if it is missing or `none`. */
function readSetting(settings: HostSettings, key: string): string | undefined {
  const value = settings.get(key)?.[0];
  return value === "none" ? undefined : value;
}

function expandHome(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}

function expandTokens(path: string, hop: { host: string; user: string; port: number; alias: string }): string {
  return expandHome(path).replace(/%[%dhklnpru]/g, (token) => {
    switch (token) {
      case "%d":
        return homedir();
      case "%h":
        return hop.host;
      case "%k":
      case "%n":
        return hop.alias;
      case "%l":
        return hostname();
      case "%p":
        return String(hop.port);
      case "%r":
        return hop.user;
      case "%u":
        return userInfo().username;
      default:
        return "%";
    }
  });
}
