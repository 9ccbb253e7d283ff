import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import type { Lab, LabNode, LabOptions } from "../lab/lab.js";
import { makeKey } from "../lab/sshd.js";
import { startInTerminal, typeKeys } from "./pseudoterminal.js";
import { type MusterResult, runMuster, TestFolder, waitForExit } from "./startmuster.js";

/** Machines on which the user `rig` logs in with a password, or with the key of `bootKey`. */
export const BARE_MACHINES: Partial<LabOptions> = {
  user: "rig",
  sshd: {
    PasswordAuthentication: "yes",
    AuthorizedKeysFile: ".ssh/authorized_keys /etc/ssh/boot_keys",
    StrictModes: "yes",
  },
};

export const PASSWORD = "correct horse";

/** Runs a shell script as root on a node, and returns what it prints. */
export async function asRoot(node: LabNode, script: string): Promise<string> {
  return (await node.exec(["sh", "-ec", script])).stdout;
}

/** Gives `rig` its password; sudo asks for it. `bootKey`: a key that is authorized in a file of its own. */
export async function makeBare(node: LabNode, bootKey?: string): Promise<void> {
  const hash = spawnSync("openssl", ["passwd", "-6", PASSWORD], { encoding: "utf8" }).stdout.trim();
  await asRoot(
    node,
    `printf '%s\\n' '${hash}' >/tmp/hash; awk -F: -v OFS=: 'NR == FNR {hash = $0; next} $1 == "rig" {$2 = hash} 1' /tmp/hash /etc/shadow >/tmp/shadow
    cat /tmp/shadow >/etc/shadow; rm /tmp/hash /tmp/shadow
    echo 'rig ALL=(ALL) ALL' >/etc/sudoers.d/asks; chmod 440 /etc/sudoers.d/asks
    echo '${bootKey ?? ""}' >/etc/ssh/boot_keys`,
  );
}

/** A folder with an inventory, known_hosts of its own, and two keys: ours, and that of `bootKey`. */
export class BootstrapFolder extends TestFolder {
  readonly env = { SSH_AUTH_SOCK: "", MUSTER_SSH_CONFIG: "/dev/null" };
  readonly key = join(this.folder, "id");
  readonly bootKeyFile = join(this.folder, "boot");
  /** `ssh-ed25519 AAAA...` */
  bootKey = "";

  async makeKeys(): Promise<void> {
    await makeKey(this.key, "me@here");
    this.bootKey = await makeKey(this.bootKeyFile, "boot");
  }

  get inventory(): string {
    return join(this.folder, "inventory.yaml");
  }

  /** Writes the inventory and empties known_hosts. */
  start(nodes: string, known = ""): string {
    writeFileSync(join(this.folder, "known"), known);
    const text = `# mine\ndefaults: {user: rig, identity_file: ${this.key}, known_hosts: ${this.folder}/known}   # keep\nnodes:\n${nodes}# end\nplaybooks: [python, session]\n`;
    writeFileSync(this.inventory, text);
    return text;
  }

  bootstrap(...words: string[]): Promise<MusterResult> {
    return runMuster(["bootstrap", ...words], { cwd: this.folder, env: this.env });
  }

  /** Runs it on a terminal. `answers`: what is typed after which text has appeared, in turn. */
  async onTerminal(t: Test, words: string[], answers: readonly (readonly [string, string])[]): Promise<MusterResult> {
    const child = startInTerminal(["bootstrap", ...words], { cwd: this.folder, env: this.env });
    t.teardown(() => child.kill());
    const left = [...answers];
    let screen = "";
    child.stdout!.on("data", (bytes) => {
      screen += bytes;
      if (left[0] === undefined || !screen.includes(left[0][0])) return;
      screen = screen.slice(screen.indexOf(left[0][0]) + left[0][0].length);
      typeKeys(child, `${left.shift()![1]}\r`);
    });
    const ended = await waitForExit(child);
    t.same(left, [], `everything was asked: ${ended.out}`);
    return ended;
  }
}

/** The address that muster is given for a node of the lab. */
export function addressOf({ host, port }: LabNode): string {
  return port === 22 ? host : `${host}:${port}`;
}

/** The fingerprint of a node's host key. */
export function fingerprintOf(lab: Lab, node: LabNode): string {
  const { stdout } = spawnSync("ssh-keygen", ["-lf", "-"], {
    input: `${node.hostKey} ${lab.kind}\n`,
    encoding: "utf8",
  });
  return stdout.split(" ")[1]!;
}
