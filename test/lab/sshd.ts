import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Directives of sshd_config that a test adds or replaces, e.g. `{ MaxSessions: 1 }`. */
export type SshdOptions = Record<string, string | number>;

/** Makes an ed25519 key at `path` and returns its public line, `ssh-ed25519 AAAA...`. */
export async function makeKey(path: string, comment: string): Promise<string> {
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path]);
  const [type, key] = (await readFile(`${path}.pub`, "utf8")).split(" ");
  return `${type} ${key}`;
}

/** The line of known_hosts for a key at an address, as OpenSSH writes it. */
export function knownHostsLine(host: string, port: number, hostKey: string): string {
  return `${port === 22 ? host : `[${host}]:${port}`} ${hostKey}`;
}

/** `files`: the folder on the node that holds host key and authorized_keys. */
export function sshdConfig(setup: {
  host: string;
  port: number;
  files: string;
  sftp: string;
  options: SshdOptions;
}): string {
  const directives: SshdOptions = {
    Port: setup.port,
    ListenAddress: setup.host,
    HostKey: `${setup.files}/ssh_host_ed25519_key`,
    AuthorizedKeysFile: `${setup.files}/authorized_keys`,
    PidFile: "none",
    UsePAM: "no",
    StrictModes: "no",
    PasswordAuthentication: "no",
    KbdInteractiveAuthentication: "no",
    PermitRootLogin: "prohibit-password",
    AllowTcpForwarding: "yes",
    PrintMotd: "no",
    UseDNS: "no",
    Subsystem: `sftp ${setup.sftp}`,
    ...setup.options,
  };
  return Object.entries(directives)
    .map(([name, value]) => `${name} ${value}\n`)
    .join("");
}
