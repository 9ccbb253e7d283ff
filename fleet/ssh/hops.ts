import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { ConnectionError, type NodeStep } from "../connectionerror.js";
import type { Node } from "../node.js";
import type { HostAlias } from "./sshconfigquery.js";
import type { HostSettings, SshSettings } from "./sshsettings.js";

/** One machine on the way to a node, with everything that inventory and ~/.ssh/config say about reaching it. */
export interface Hop {
  /** As the inventory or a ProxyJump calls it. */
  alias: string;
  host: string;
  port: number;
  user: string;
  /** Candidates in order, whether they exist or not. */
  keyFiles: string[];
  /** The inventory named the key file: it must be there and usable. */
  isKeyNamed: boolean;
  usesOnlyKeyFiles: boolean;
  /** Socket of the agent. */
  agentSocket?: string;
  userKnownHosts: string[];
  globalKnownHosts: string[];
  /** HostKeyAlias: what known_hosts calls it. */
  hostKeyAlias?: string;
  acceptsNewKeys: boolean;
  hashesNames: boolean;
}

/** How deep jump hosts may lie behind jump hosts. */
const MAX_JUMP_DEPTH = 8;

/**
 * The machines from here to the node, the node last, as `ssh -G` resolves them and the inventory overrules them.
 * Rejects with a ConnectionError (CONFIG).
 */
export async function resolveHops(node: Node, configured: SshSettings): Promise<Hop[]> {
  const { host: alias, port, user } = node;
  const where = { node: node.name, step: "ssh configuration" };
  const settings = await configured.resolve({ alias, port, user }, where);
  const hop = createHop({ alias, port, user }, settings);
  if (node.identityFile !== undefined)
    Object.assign(hop, { keyFiles: [expandHome(node.identityFile)], keyNamed: true });
  if (node.knownHosts !== undefined) hop.userKnownHosts = [expandHome(node.knownHosts)];
  if (node.hostKeys !== undefined) hop.acceptsNewKeys = node.hostKeys === "accept-new";
  return [...(await resolveJumps(settings, configured, where, 0)), hop];
}

async function resolveJumps(
  settings: HostSettings,
  configured: SshSettings,
  where: NodeStep,
  depth: number,
): Promise<Hop[]> {
  const proxy = readSetting(settings, "proxycommand");
  if (proxy !== undefined) {
    const next = "use ProxyJump, which muster goes through itself";
    throw new ConnectionError("CONFIG", where, `ProxyCommand is not supported: ${proxy}`, { next });
  }
  const jumps = (readSetting(settings, "proxyjump") ?? "").split(",").filter((jump) => jump !== "");
  if (jumps.length === 0) return [];
  if (depth === MAX_JUMP_DEPTH) throw new ConnectionError("CONFIG", where, "ProxyJump leads in a circle");
  const names = jumps.map(parseJumpHost);
  const all = await Promise.all(names.map((name) => configured.resolve(name, where)));
  // Only the first one is reached from here, so only its own jumps count.
  const before = await resolveJumps(all[0]!, configured, where, depth + 1);
  return [...before, ...all.map((settings, index) => createHop(names[index]!, settings))];
}

/** `[user@]host[:port]` or the same as an ssh:// URL; IPv6 addresses in brackets. */
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

/** The value of a key; undefined for what is switched off. */
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
