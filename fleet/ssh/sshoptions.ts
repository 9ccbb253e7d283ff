import { ConnectionError, type NodeStep } from "../connectionerror.js";
import type { HostSettings } from "./sshsettings.js";

/** The options of ssh_config(5) that muster reads from `ssh -G` and follows. docs/ssh-config.md describes them all. */
export const READ_OPTIONS = [
  "AddressFamily",
  "BindAddress",
  "CheckHostIP",
  "Ciphers",
  "ConnectTimeout",
  "GlobalKnownHostsFile",
  "HashKnownHosts",
  "HostKeyAlgorithms",
  "HostKeyAlias",
  "HostName",
  "IdentitiesOnly",
  "IdentityAgent",
  "IdentityFile",
  "KexAlgorithms",
  "MACs",
  "Port",
  "ProxyCommand",
  "ProxyJump",
  "PubkeyAcceptedAlgorithms",
  "RequiredRSASize",
  "RevokedHostKeys",
  "StrictHostKeyChecking",
  "User",
  "UserKnownHostsFile",
] as const;

/** The options that muster reads only to name them as the reason of a failed log-in. */
export const NAMED_OPTIONS = ["CertificateFile", "PKCS11Provider"] as const;

/** The options that ssh applies itself before `ssh -G` prints the others. */
export const RESOLVED_OPTIONS = [
  "CanonicalDomains",
  "CanonicalizeFallbackLocal",
  "CanonicalizeHostname",
  "CanonicalizeMaxDots",
  "CanonicalizePermittedCNAMEs",
  "Host",
  "IgnoreUnknown",
  "Include",
  "Match",
  "Tag",
] as const;

export type ReadOption = (typeof READ_OPTIONS)[number] | (typeof NAMED_OPTIONS)[number];

/** An option with which muster does not connect, because ignoring it would be weaker than ssh, or could not succeed. */
interface RefusedOption {
  option: string;
  isRefused(value: string, settings: HostSettings): boolean;
  reason: string;
  next: string;
}

const isSet = (value: string) => value !== "none";

export const REFUSED_OPTIONS: readonly RefusedOption[] = [
  {
    option: "BindInterface",
    isRefused: isSet,
    reason: "muster cannot bind to an interface",
    next: "set BindAddress to the address of that interface",
  },
  {
    option: "KnownHostsCommand",
    isRefused: isSet,
    reason: "muster does not run it, so it would not see the keys that the command revokes",
    next: "write the lines that it prints to a file, and name that file in UserKnownHostsFile",
  },
  {
    option: "PreferredAuthentications",
    isRefused: (value) => !value.split(",").includes("publickey"),
    reason: "it excludes publickey, the only way in which muster logs in",
    next: "add publickey to PreferredAuthentications",
  },
  {
    option: "ProxyUseFdpass",
    isRefused: (value, settings) => value === "yes" && findSetting(settings, "ProxyCommand") !== undefined,
    reason: "muster cannot receive a socket from ProxyCommand",
    next: "use a ProxyCommand that passes data through its standard input and output, and ProxyUseFdpass no",
  },
  {
    option: "PubkeyAuthentication",
    isRefused: (value) => value === "no" || value === "false",
    reason: "muster logs in with public keys only",
    next: "set PubkeyAuthentication yes for this host",
  },
  {
    option: "RefuseConnection",
    isRefused: isSet,
    reason: "the configuration forbids connections to this host",
    next: "remove RefuseConnection for this host",
  },
];

/** Throws a ConnectionError (CONFIG) that names the first option with which muster does not connect. */
export function rejectRefusedOptions(settings: HostSettings, where: NodeStep): void {
  for (const { option, isRefused, reason, next } of REFUSED_OPTIONS) {
    const value = settings.get(option.toLowerCase())?.[0];
    if (value !== undefined && isRefused(value, settings))
      throw new ConnectionError("CONFIG", where, `${option} ${value} is not supported: ${reason}`, { next });
  }
}

/** Returns the first value of an option; undefined if it is not set or is `none`. */
export function findSetting(settings: HostSettings, option: ReadOption): string | undefined {
  const value = settings.get(option.toLowerCase())?.[0];
  return value === "none" ? undefined : value;
}

/** Returns all values of an option, without `none`; undefined if `ssh -G` does not print the option. */
export function listSettings(settings: HostSettings, option: ReadOption): string[] | undefined {
  return settings.get(option.toLowerCase())?.filter((value) => value !== "none");
}
