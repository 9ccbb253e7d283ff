import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import type { NodeStep } from "../connectionerror.js";
import type { FirstContact } from "../dialoptions.js";
import type { AllowedAlgorithms } from "./algorithms.js";
import { splitFileList } from "./filelist.js";
import type { HostAlias } from "./sshconfigquery.js";
import { findSetting, listSettings, type ReadOption, rejectRefusedOptions } from "./sshoptions.js";
import type { HostSettings } from "./sshsettings.js";
import { expandHomeOfAccount, expandPath, expandProxyCommand, type TokenValues } from "./sshtokens.js";

/** One machine of a chain of jump hosts that ends at a node, with its settings from the inventory and ~/.ssh/config. */
export interface Hop {
  /** The name in the inventory or in ProxyJump. */
  alias: string;
  host: string;
  port: number;
  user: string;
  /** The command whose standard input and output are the connection, with its tokens expanded. */
  proxyCommand?: string;
  /** ProxyCommand as it is configured, before its tokens are expanded. */
  proxyTemplate?: string;
  /** 0: IPv4 and IPv6. */
  family: 0 | 4 | 6;
  /** The local address to connect from. */
  bindAddress?: string;
  /** The time limit of the TCP connection, if the configuration sets one. */
  connectSeconds?: number;
  algorithms: AllowedAlgorithms;
  /** Candidate paths in order; they need not exist. */
  keyFiles: string[];
  /** The inventory names the key file, so it must exist and be usable. */
  isKeyNamed: boolean;
  usesOnlyKeyFiles: boolean;
  /** The signature algorithms that a key may use; undefined: any. */
  keyAlgorithms?: string[];
  /** Certificates to log in with, which muster only names where a log-in fails. */
  certificateFiles: string[];
  /** A library for keys on a token, which muster only names where a log-in fails. */
  keyProvider?: string;
  /** The socket of the ssh agent. */
  agentSocket?: string;
  userKnownHosts: string[];
  globalKnownHosts: string[];
  /** A file of keys to refuse, whatever known_hosts says: public keys or an OpenSSH key revocation list. */
  revokedHostKeys?: string;
  /** HostKeyAlias: the machine's name in known_hosts. */
  hostKeyAlias?: string;
  /** CheckHostIP: known_hosts must not have another key for the machine's address. */
  checksAddress: boolean;
  /** The smallest RSA key to accept, of hosts and of users. */
  minRsaBits: number;
  acceptsNewKeys: boolean;
  /** undefined: it takes our key, and its host key is known or decided by `acceptsNewKeys`. */
  firstContact?: FirstContact;
  hashesNames: boolean;
}

/** What the inventory sets for a node, and which therefore overrides `ssh -G`. */
export interface HopOverrides {
  identityFile?: string;
  knownHosts?: string;
  hostKeys?: "strict" | "accept-new";
}

/**
 * Creates a hop from the output of `ssh -G`, which is empty where ssh is not installed. Throws a ConnectionError (CONFIG) for options
 * that muster refuses.
 */
export function createHop(name: HostAlias, settings: HostSettings, where: NodeStep, overrides: HopOverrides = {}): Hop {
  rejectRefusedOptions(settings, where);
  const read = (option: ReadOption) => findSetting(settings, option);
  const host = read("HostName") ?? name.alias;
  const user = name.user ?? read("User") ?? userInfo().username;
  const port = name.port ?? Number(read("Port") ?? 22);
  const hostKeyAlias = read("HostKeyAlias");
  const values = { alias: name.alias, host, port, user, hostKeyAlias, jump: read("ProxyJump") };
  const proxyTemplate = read("ProxyCommand");
  const connectSeconds = Number(read("ConnectTimeout") ?? 0);
  const algorithms = (option: ReadOption) => read(option)?.split(",");
  return {
    alias: name.alias,
    host,
    port,
    user,
    proxyCommand: proxyTemplate && expandProxyCommand(proxyTemplate, values, where),
    proxyTemplate,
    family: ({ inet: 4, inet6: 6 } as const)[read("AddressFamily") ?? ""] ?? 0,
    bindAddress: read("BindAddress"),
    connectSeconds: connectSeconds > 0 ? connectSeconds : undefined,
    algorithms: {
      hostKey: algorithms("HostKeyAlgorithms"),
      kex: algorithms("KexAlgorithms"),
      cipher: algorithms("Ciphers"),
      mac: algorithms("MACs"),
    },
    ...findKeySettings(settings, values, overrides, where),
    ...findKnownHostsFiles(settings, overrides, where),
    // OpenSSH 9.2 takes this path as it is written, and refuses all keys where the file is missing.
    revokedHostKeys: read("RevokedHostKeys"),
    hostKeyAlias,
    checksAddress: read("CheckHostIP") === "yes",
    minRsaBits: Number(read("RequiredRSASize") ?? 0),
    acceptsNewKeys:
      overrides.hostKeys === undefined
        ? acceptsNew(read("StrictHostKeyChecking"))
        : overrides.hostKeys === "accept-new",
    hashesNames: read("HashKnownHosts") === "yes",
  };
}

function acceptsNew(strictHostKeyChecking: string | undefined): boolean {
  return ["accept-new", "no", "off", "false"].includes(strictHostKeyChecking ?? "");
}

type KeySettings = Pick<
  Hop,
  "keyFiles" | "isKeyNamed" | "usesOnlyKeyFiles" | "keyAlgorithms" | "certificateFiles" | "keyProvider" | "agentSocket"
>;

function findKeySettings(
  settings: HostSettings,
  values: TokenValues,
  { identityFile }: HopOverrides,
  where: NodeStep,
): KeySettings {
  const expand = (option: ReadOption) => (path: string) => expandPath(option, path, values, where);
  const configured = () =>
    listSettings(settings, "IdentityFile")?.map(expand("IdentityFile")) ??
    ["id_ed25519", "id_ecdsa", "id_rsa"].map((file) => join(homedir(), ".ssh", file));
  return {
    keyFiles: identityFile === undefined ? configured() : [expandHome(identityFile)],
    isKeyNamed: identityFile !== undefined,
    usesOnlyKeyFiles: findSetting(settings, "IdentitiesOnly") === "yes",
    keyAlgorithms: findSetting(settings, "PubkeyAcceptedAlgorithms")?.split(","),
    certificateFiles: (listSettings(settings, "CertificateFile") ?? []).map(expand("CertificateFile")),
    keyProvider: findSetting(settings, "PKCS11Provider"),
    agentSocket: findAgentSocket(settings, where),
  };
}

function findKnownHostsFiles(
  settings: HostSettings,
  { knownHosts }: HopOverrides,
  where: NodeStep,
): Pick<Hop, "userKnownHosts" | "globalKnownHosts"> {
  const split = (option: ReadOption, otherwise: string, expand?: (path: string) => string) =>
    settings.size === 0
      ? [otherwise]
      : splitFileList(option, settings.get(option.toLowerCase())?.[0] ?? "none", where, expand);
  // `ssh -G` expands the user's files, except `~` in old versions. ssh takes the global ones as they are written.
  const expandUser = (path: string) => expandHomeOfAccount("UserKnownHostsFile", path, where);
  return {
    userKnownHosts:
      knownHosts === undefined
        ? split("UserKnownHostsFile", join(homedir(), ".ssh/known_hosts"), expandUser)
        : [expandHome(knownHosts)],
    globalKnownHosts: split("GlobalKnownHostsFile", "/etc/ssh/ssh_known_hosts"),
  };
}

/** `ssh -G` has expanded the path, but prints the name of a variable as it is. */
function findAgentSocket(settings: HostSettings, where: NodeStep): string | undefined {
  const setting = settings.get("identityagent")?.[0];
  if (setting === "none") return undefined;
  if (setting === undefined || setting === "SSH_AUTH_SOCK") return process.env.SSH_AUTH_SOCK || undefined;
  if (setting.startsWith("$")) return process.env[setting.replace(/^\$\{?|\}$/g, "")] || undefined;
  return expandHomeOfAccount("IdentityAgent", setting, where);
}

/** Expands `~/` in a path of the inventory. */
function expandHome(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}
