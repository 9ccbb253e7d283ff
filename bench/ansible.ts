import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Lab } from "../test/lab/lab.js";
import { findProgram } from "../test/lab/requirements.js";
import { runTimed, type TimedRun } from "./timedrun.js";

/** Where a node is reached: itself, or a proxy before it. */
export interface NodeAddress {
  host: string;
  port: number;
}

/** Installs Ansible if it is missing and this process may. Throws otherwise. */
export function installAnsible(): void {
  if (findProgram("ansible-playbook") !== undefined) return;
  if (process.getuid?.() !== 0 || findProgram("apt-get") === undefined)
    throw new Error("the comparison needs Ansible: apt-get install --no-install-recommends ansible-core");
  execFileSync("apt-get", ["install", "-y", "-q", "--no-install-recommends", "ansible-core"], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}

/** Files that the play compares with local copies, which are read once from a provisioned node. */
const COPIED = ["/etc/profile.d/muster-rocm.sh", "/etc/environment.d/90-muster-rocm.conf"];

/** The same concerns as muster's playbooks, without gathering facts. */
const TASKS = {
  "rocm-env": COPIED.map((dest) => ({
    copy: { src: `node${dest}`, dest, owner: "root", group: "root", mode: "0644" },
  })),
  "kernel-params": [
    {
      shell: "test $(( $(cat /sys/module/amdgpu/parameters/ppfeaturemask) )) -eq $(( 0xffff7fff ))",
      changed_when: false,
      check_mode: false,
    },
  ],
  ramdisk: [{ copy: { src: "data/", dest: "/dev/shm/prng/step3/", mode: "0600", directory_mode: "0700" } }],
  files: [{ copy: { src: "conf/", dest: "~/conf/" } }],
  "manifest-sync": [
    { lineinfile: { path: "~/run.sh", regexp: "^CHUNK_SIZE=", line: "CHUNK_SIZE=1000" } },
    { replace: { path: "~/full.json", regexp: '"chunk_size": *[0-9]+', replace: '"chunk_size": 1000' } },
  ],
  python: [{ command: "python3 -c 'import json, ssl'", changed_when: false, check_mode: false }],
  session: [
    {
      shell: "/usr/sbin/sshd -T | grep -i maxsessions; loginctl show-session || true",
      changed_when: false,
      check_mode: false,
    },
  ],
  gpu: [
    {
      shell:
        "PATH=$PATH:/opt/rocm/bin; rocm-smi --showbus -c -p --json | python3 -c 'import json, sys; assert len(json.load(sys.stdin)) == 8'",
      changed_when: false,
      check_mode: false,
    },
  ],
};
/** Playbooks of muster that the play has tasks for. */
export type ComparedPlaybook = keyof typeof TASKS;
export const COMPARED_PLAYBOOKS = Object.keys(TASKS) as ComparedPlaybook[];

/**
 * Writes the play, the inventory and the configuration (pipelining, one shared connection a node) for the lab's nodes, which are
 * reached at `addresses`, into a new folder. Returns the folder.
 */
export function writePlay(
  lab: Lab,
  addresses: readonly NodeAddress[],
  playbooks: readonly ComparedPlaybook[],
  files: Record<string, string>,
): string {
  const folder = mkdtempSync(join(lab.folder, "ansible-"));
  const write = (path: string, text: string) => {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  for (const path of COPIED) write(`node${path}`, readFileSync(join(lab.nodes[0]!.root, path), "utf8"));
  const hosts = lab.nodes.map(({ name, user }, index) => {
    const { host, port } = addresses[index]!;
    return [name, { ansible_host: host, ansible_port: port, ansible_user: user }];
  });
  write("hosts.yml", stringify({ all: { hosts: Object.fromEntries(hosts) } }));
  write(
    "play.yml",
    stringify([{ hosts: "all", gather_facts: false, tasks: playbooks.flatMap((name): unknown[] => TASKS[name]) }]),
  );
  write("ansible.cfg", formatConfig({ ...lab.nodes[0]!, controlFolder: lab.folder }));
  return folder;
}

/** Returns the text of ansible.cfg: pipelining, and one shared connection a node, whose sockets lie in `controlFolder`. */
export function formatConfig(options: { identityFile: string; knownHosts: string; controlFolder: string }): string {
  const { identityFile, knownHosts, controlFolder } = options;
  const ssh = `-F none -o IdentitiesOnly=yes -i ${identityFile} -o UserKnownHostsFile=${knownHosts}`;
  const shared = `-o ControlMaster=auto -o ControlPersist=60s -o ControlPath=${controlFolder}/cm-%h-%p`;
  const defaults = "[defaults]\ninventory = hosts.yml\ninterpreter_python = /usr/bin/python3\nforks = 20\nnocows = 1\n";
  return `${defaults}[ssh_connection]\npipelining = True\nssh_args = ${ssh} ${shared}\n`;
}

/** Runs the play of a folder once on all nodes. `home`: for Ansible's own files. */
export function runPlay(home: string, folder: string, options: readonly string[]): Promise<TimedRun> {
  const env = { HOME: home, ANSIBLE_CONFIG: join(folder, "ansible.cfg"), LC_ALL: "C.UTF-8" };
  return runTimed(["ansible-playbook", ...options, "play.yml"], { cwd: folder, limit: 600, env });
}

/** Closes the shared connections. */
export function closePlay(controlFolder: string, addresses: readonly NodeAddress[]): void {
  for (const { host, port } of addresses) {
    const path = `${controlFolder}/cm-${host}-${port}`;
    try {
      execFileSync("ssh", ["-F", "none", "-o", `ControlPath=${path}`, "-O", "exit", host], { stdio: "ignore" });
    } catch {
      // It was closed before.
    }
  }
}

/** Returns the number of nodes in the recap that were reached and had no changes. */
export function cleanHosts(output: string): number {
  return output.match(/: ok=\d+ +changed=0 +unreachable=0 +failed=0 /g)?.length ?? 0;
}
