import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../test/lab/lab.js";

/** A program that copies files over SSH, and its command line for a node. */
export type SshPeer = readonly [name: string, words: (node: string) => string[]];

/** Writes an ssh_config with the lab's nodes under their names; returns its path. */
export function writePeerConfig(lab: Lab): string {
  const hosts = lab.nodes.map(
    ({ name, host, port, user }) => `Host ${name}\nHostName ${host}\nPort ${port}\nUser ${user}\n`,
  );
  const path = join(lab.folder, "peers_config");
  const common = `Host *\nIdentityFile ${lab.nodes[0]!.identityFile}\nIdentitiesOnly yes\nBatchMode yes\nUserKnownHostsFile ${lab.knownHosts}\nLogLevel ERROR\n`;
  writeFileSync(path, hosts.join("") + common);
  return path;
}
