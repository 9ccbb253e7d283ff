import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FileServer } from "../../lab/fileserver.js";
import type { LabNode, LabOptions } from "../../lab/lab.js";
import { projectRoot } from "../../lab/project.js";
import { findProgram, lackingSystemd } from "../../lab/requirements.js";
import { PackageRepo, type TestPackage } from "../../playbooks/packagerepo.js";
import { lackingVenv, writeWheel } from "../../playbooks/wheelfile.js";
import { asRoot, BARE_MACHINES, BootstrapFolder, makeBare } from "../bootstrapmachine.js";

/** A rig with two cards, systemd, and a running kernel that differs from what the inventory wants. */
export const RIG: LabOptions = {
  ...BARE_MACHINES,
  nodes: ["rig"],
  gpus: 2,
  systemd: true,
  kernel: { "amdgpu.ppfeaturemask": "0xffffffff" },
};

const PACKAGES: TestPackage[] = [
  { name: "rig-common", version: "1.0" },
  { name: "rig-tools", version: "1.0", fields: ["Depends: rig-common"] },
  { name: "rig-profiler", version: "1.2", fields: ["Depends: rig-common"] },
  { name: "rig-driver", version: "1.0" },
  { name: "rig-driver", version: "2.0" },
];

/** A service of the project, which imports a package of its environment. */
const SERVE = `import os, time
import sieve
with open(os.path.join(os.environ["RUNTIME_DIRECTORY"], "state"), "w") as file:
    file.write("serving with sieve " + sieve.VERSION + "\\n")
while True:
    time.sleep(60)
`;
/** Lab nodes boot no further than to basic.target. */
const UNIT = `[Unit]
Description=Progress of the rig

[Service]
User=rig
RuntimeDirectory=progress
ExecStart=/home/rig/.venvs/prng/bin/python /home/rig/project/serve.py

[Install]
WantedBy=basic.target
`;
const COMMIT = "git add -A && git -c user.email=a@example.org -c user.name=a commit -qm x";
const MAKE_REPOSITORY = `cd "$1" && git init -q && ${COMMIT} && git tag v1 && echo FACTOR = 0 >factor.py && ${COMMIT}
git clone -q --bare . "$2" && cd "$2" && git update-server-info`;

/** Computes from the ramdisk, the checkout and the environment, and has the environment's sieve in its result. */
const WORKER = `import json, os, sys
sys.path.insert(0, os.path.expanduser("~/project"))
import factor, sieve
def load(name):
    with open("/dev/shm/prng/" + name) as file:
        return json.load(file)
total = factor.FACTOR * sum(load("train.json") + load("holdout.json")) + int(sys.argv[1])
with open("sum-%s.txt" % sys.argv[1], "w") as file:
    file.write("%d with sieve %s\\n" % (total, sieve.VERSION))
`;
const TRAIN = Array.from({ length: 5000 }, (_, n) => n);
const HOLDOUT = [7, 8, 9];

/**
 * What a freshly installed rig is like. Stand-ins: the system is a copy of this machine's, whose package sources are removed so that only
 * the project's own is asked; a driver's package would create the group render; update-grub writes a line of the kernel's, which the lab's
 * boot reads from the same files.
 */
const IMAGE = `rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*
getent group render >/dev/null || groupadd -r render
mkdir -p /etc/default/grub.d && echo GRUB_TIMEOUT=0 >/etc/default/grub.d/00-rig.cfg
cat >/usr/sbin/update-grub <<'GRUB'
#!/bin/sh
for file in /etc/default/grub.d/*.cfg; do . "$file"; done
mkdir -p /boot/grub && echo " linux /vmlinuz $GRUB_CMDLINE_LINUX_DEFAULT" >/boot/grub/grub.cfg
GRUB
chmod 755 /usr/sbin/update-grub`;

/** What a rig answers once it is as the inventory wants it. */
const LOOKS: [script: string, says: RegExp][] = [
  [
    "dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev},' 'rig-*'",
    /^rig-common 1\.0 ii ,rig-driver 1\.0 hi ,rig-profiler 1\.2 ii ,rig-tools 1\.0 ii ,$/,
  ],
  ["cat /usr/share/rig-driver/version", /^1\.0$/],
  ["id -Gn rig", /^(?=.*\brender\b)(?=.*\bvideo\b)/],
  ["su rig -c 'cd ~/project && git describe --tags && git status --porcelain -uno'", /^v1$/],
  [
    "su rig -c '~/.venvs/prng/bin/python -c \"import sieve, digits; print(sieve.VERSION, digits.VERSION)\"'",
    /^1\.0 2\.5$/,
  ],
  ["systemctl is-active progress; systemctl is-enabled progress", /^active\nenabled$/],
  ["cat /run/progress/state", /^serving with sieve 1\.0$/],
  ["cat /sys/module/amdgpu/parameters/ppfeaturemask", /^0xffff7fff$/],
  ["stat -c '%U %a %s' /dev/shm/prng/*", /^rig 600 7\nrig 600 23891$/],
];

/** Why a rig cannot be brought from bare to working here; false where it can. */
export function lackingForRig(): string | false {
  const programs = ["apt-get", "dpkg-deb", "gpg", "git", "sudo", "visudo", "groupadd"];
  const lacking = programs.filter((name) => findProgram(name) === undefined);
  return lackingSystemd() || lackingVenv() || (lacking.length > 0 && `needs ${lacking.join(", ")}`);
}

/**
 * The folder of somebody who has rigs: an inventory, and the files that it names. Packages and the project's repository lie on a server,
 * which is no part of the rig. All of it is real: apt, git and pip, but the packages are small.
 */
export class RigProject extends BootstrapFolder {
  /** The inventory, without any node. */
  text = "";
  private server?: FileServer;
  private repo?: PackageRepo;

  /** Writes the files and starts the server. */
  async create(): Promise<void> {
    await this.makeKeys();
    this.server = await FileServer.start(join(this.folder, "www"));
    this.repo = new PackageRepo(join(this.folder, "www/apt"), join(this.folder, "tools.asc"), PACKAGES);
    this.write("source/factor.py", "FACTOR = 2\n");
    this.write("source/serve.py", SERVE);
    const repository = [join(this.folder, "source"), join(this.folder, "www/project.git")];
    execFileSync("sh", ["-ec", MAKE_REPOSITORY, "sh", ...repository], { stdio: "pipe" });
    writeWheel(join(this.folder, "wheels"), { name: "sieve", version: "1.0", requires: ["digits>=2"] });
    writeWheel(join(this.folder, "wheels"), { name: "digits", version: "2.5" });
    this.write("requirements.txt", "sieve==1.0\n");
    this.write("progress.service", UNIT);
    this.write("data/train.json", JSON.stringify(TRAIN));
    this.write("data/holdout.json", JSON.stringify(HOLDOUT));
    this.write("known", "");
    this.write("jobs/worker.py", WORKER);
    this.write("jobs/sum.yaml", this.job());
    const template = readFileSync(join(projectRoot(), "test/cli/rigproject/inventory.yaml"), "utf8");
    this.text = this.fillIn(template);
    this.write("inventory.yaml", this.text);
  }

  /** Replaces what a text for this project cannot know beforehand. */
  fillIn(template: string): string {
    return template.replaceAll("@URL@", this.server!.url).replaceAll("@FINGERPRINT@", this.repo!.fingerprint);
  }

  /** Installs a node: what it had is gone. Its user `rig` has a password, and sudo asks for it; `bootKey` is authorized. */
  async install(node: LabNode, bootKey?: string): Promise<void> {
    await node.reinstall();
    await asRoot(node, IMAGE);
    await makeBare(node, bootKey);
  }

  /** Looks at a node without muster; returns what is not as the inventory wants it. */
  static async look(node: LabNode): Promise<string[]> {
    const found = await Promise.all(
      LOOKS.map(async ([script]) => (await asRoot(node, `cd /; set +e; exec 2>&1; ${script}; true`)).trim()),
    );
    return LOOKS.flatMap(([script, says], index) => (says.test(found[index]!) ? [] : [`${script}: ${found[index]}`]));
  }

  /** What the job's task `n` must write to `sum-n.txt`. */
  static result(n: number): string {
    const sum = [...TRAIN, ...HOLDOUT].reduce((a, b) => a + b, 0);
    return `${2 * sum + n} with sieve 1.0\n`;
  }

  override remove(): void {
    this.repo?.remove();
    this.server?.stop();
    super.remove();
  }

  private job(): unknown {
    const task = (n: number) => ({ id: `${n}`, args: [`${n}`], outputs: [`sum-${n}.txt`] });
    const playbooks = ["packages", "groups", "git", "services", "kernel-params", "ramdisk"];
    return {
      kind: "tasks",
      script: "worker.py",
      python_env: "prng",
      needs: { playbooks },
      tasks: [0, 1, 2, 3].map(task),
    };
  }
}
