import { homedir, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { ConnectionError, type Where } from "../errors.js";
import type { Node } from "../node.js";
import type { Settings, SshSettings } from "./settings.js";
import type { HostName } from "./sshg.js";

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
  keyNamed: boolean;
  onlyKeyFiles: boolean;
  /** Socket of the agent. */
  agent?: string;
  userKnownHosts: string[];
  globalKnownHosts: string[];
  /** HostKeyAlias: what known_hosts calls it. */
  keyName?: string;
  acceptNew: boolean;
  hashNames: boolean;
}

/** How deep jump hosts may lie behind jump hosts. */
const DEEPEST = 8;

/**
 * The machines from here to the node, the node last, as `ssh -G` resolves them and the inventory overrules them.
 * Rejects with a ConnectionError (CONFIG).
 */
export async function resolveHops(node: Node, configured: SshSettings): Promise<Hop[]> {
  const { host: alias, port, user } = node;
  const where = { node: node.name, step: "ssh configuration" };
  const settings = await configured.of({ alias, port, user }, where);
  const hop = hopOf({ alias, port, user }, settings);
  if (node.identityFile !== undefined)
    Object.assign(hop, { keyFiles: [expandHome(node.identityFile)], keyNamed: true });
  if (node.knownHosts !== undefined) hop.userKnownHosts = [expandHome(node.knownHosts)];
  if (node.hostKeys !== undefined) hop.acceptNew = node.hostKeys === "accept-new";
  return [...(await jumpsBefore(settings, configured, where, 0)), hop];
}

async function jumpsBefore(settings: Settings, configured: SshSettings, where: Where, depth: number): Promise<Hop[]> {
  const proxy = first(settings, "proxycommand");
  if (proxy !== undefined) {
    const next = "use ProxyJump, which muster goes through itself";
    throw new ConnectionError("CONFIG", where, `ProxyCommand is not supported: ${proxy}`, { next });
  }
  const jumps = (first(settings, "proxyjump") ?? "").split(",").filter((jump) => jump !== "");
  if (jumps.length === 0) return [];
  if (depth === DEEPEST) throw new ConnectionError("CONFIG", where, "ProxyJump leads in a circle");
  const names = jumps.map(parseJump);
  const all = await Promise.all(names.map((name) => configured.of(name, where)));
  // Only the first one is reached from here, so only its own jumps count.
  const before = await jumpsBefore(all[0]!, configured, where, depth + 1);
  return [...before, ...all.map((settings, index) => hopOf(names[index]!, settings))];
}

/** `[user@]host[:port]` or the same as an ssh:// URL; IPv6 addresses in brackets. */
export function parseJump(text: string): HostName {
  const [, user, bracketed, bare, port] =
    /^(?:ssh:\/\/)?(?:(.+)@)?(?:\[([^\]]+)\]|([^:]+|.*:.*:.*?))(?::(\d+))?\/?$/.exec(text.trim()) ?? [];
  return { alias: bracketed ?? bare ?? text, port: port === undefined ? undefined : Number(port), user };
}

function hopOf(name: HostName, settings: Settings): Hop {
  const host = first(settings, "hostname") ?? name.alias;
  const user = name.user ?? first(settings, "user") ?? userInfo().username;
  const port = name.port ?? Number(first(settings, "port") ?? 22);
  const expand = (path: string) => expandTokens(path, { host, user, port, alias: name.alias });
  const files = settings.get("identityfile")?.map(expand);
  const known = (key: string, otherwise: string[]) =>
    settings.size === 0 ? otherwise : (first(settings, key)?.split(" ").map(expand) ?? []);
  return {
    alias: name.alias,
    host,
    port,
    user,
    keyFiles: files ?? ["id_ed25519", "id_ecdsa", "id_rsa"].map((file) => join(homedir(), ".ssh", file)),
    keyNamed: false,
    onlyKeyFiles: first(settings, "identitiesonly") === "yes",
    agent: agentSocket(settings.get("identityagent")?.[0], expand),
    userKnownHosts: known("userknownhostsfile", [join(homedir(), ".ssh/known_hosts")]),
    globalKnownHosts: known("globalknownhostsfile", ["/etc/ssh/ssh_known_hosts"]),
    keyName: first(settings, "hostkeyalias"),
    acceptNew: ["accept-new", "no", "off", "false"].includes(first(settings, "stricthostkeychecking") ?? ""),
    hashNames: first(settings, "hashknownhosts") === "yes",
  };
}

function agentSocket(setting: string | undefined, expand: (path: string) => string): string | undefined {
  if (setting === "none") return undefined;
  if (setting === undefined || setting === "SSH_AUTH_SOCK") return process.env.SSH_AUTH_SOCK || undefined;
  return setting.startsWith("$") ? process.env[setting.replace(/^\$\{?|\}$/g, "")] || undefined : expand(setting);
}

/** The value of a key; undefined for what is switched off. */
function first(settings: Settings, key: string): string | undefined {
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
