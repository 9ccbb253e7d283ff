import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { type Lab, lacking, startLab } from "../lab/lab.js";
import type { LabNode } from "../lab/labnode.js";
import { listStates, runVerb, type VerbResult } from "./runverb.js";

const skip = lacking("/etc and /boot of its own");
const OPTION = "amdgpu.ppfeaturemask=0xffff7fff";
const DONE = { "boot parameters": "changed", "kernel parameters": "needs reboot" };
const STAGED = { "boot parameters": "ok", "kernel parameters": "needs reboot" };

/** Stands in for grub-mkconfig: reads /etc/default/grub only, and puts its variables on the line of each kernel. */
const MKCONFIG = `#!/bin/sh
set -e
for word; do case $word in --help) echo "$HELP"; exit;; esac; done
. /etc/default/grub
echo "$0 $*" >>/root/calls
mkdir -p /boot/grub
`;
const LINUX_LINE = 'echo " linux /vmlinuz ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT" >/boot/grub/grub.cfg\n';
/** Stands in for grubby with the options that muster uses: removes and adds arguments in every entry. */
const GRUBBY = `#!/bin/sh
echo "grubby $*" >>/root/calls
for file in /boot/loader/entries/*.conf; do
  case $1 in
  --info=ALL) sed -n 's/^options \\(.*\\)/args="\\1"/p' "$file";;
  --update-kernel=ALL)
    name=\${2#--remove-args=}
    sed -i -E "s/ $name=[^ ]*//; s/^options .*/& \${3#--args=}/" "$file";;
  esac
done
`;

t.test("boot loaders of other distributions, with stand-ins for their programs", { skip }, async (t) => {
  const lab: Lab = await startLab({ nodes: 1, gpus: 1 });
  t.teardown(() => lab.stop());
  const node = lab.nodes[0] as LabNode;
  const put = (path: string, text: string | Buffer, mode = 0o644) => {
    mkdirSync(dirname(join(node.root, path)), { recursive: true });
    writeFileSync(join(node.root, path), text, { mode });
  };
  const read = (path: string) => readFileSync(join(node.root, path), "utf8");
  const calls = () => (existsSync(join(node.root, "root/calls")) ? read("root/calls") : "");
  const inventory = lab.inventory({ top: { playbooks: ["kernel-params"] } });
  const run = (verb: string) => runVerb(inventory, [verb, "kernel-params"]);
  const differences = (answer: VerbResult) =>
    answer.nodes[0]!.resources[0]!.differences.map(({ what, have }) => `${what}: ${have}`);
  t.beforeEach(() => {
    for (const path of ["etc/default/grub", "etc/default/grub.d", "etc/kernel", "boot", "root/calls"])
      rmSync(join(node.root, path), { recursive: true, force: true });
    for (const name of [
      "update-grub",
      "grub-mkconfig",
      "grub2-mkconfig",
      "grubby",
      "proxmox-boot-tool",
      "kernel-install",
    ])
      rmSync(join(node.root, "usr/local/sbin", name), { force: true });
    put("sys/module/amdgpu/parameters/ppfeaturemask", "4294967295\n");
  });
  /** Provisions, and checks that a second time and a verify find nothing more to stage. */
  const stage = async (t: Test) => {
    const first = await run("provision");
    t.same(listStates(first), DONE, first.err || JSON.stringify(first.nodes[0]?.resources[0]));
    t.same(listStates(await run("provision")), STAGED);
    t.same(listStates(await run("verify")), STAGED);
  };

  await t.test("a value that the file computes is overruled, and other bytes stay", async (t) => {
    const text = Buffer.from(
      `# f\xfcr\r\nX=quiet\nGRUB_CMDLINE_LINUX_DEFAULT="splash \${X} amdgpu.ppfeaturemask=0xffffffff nosplash"`,
      "latin1",
    );
    put("etc/default/grub", text);
    put("usr/local/sbin/update-grub", MKCONFIG + LINUX_LINE, 0o755);
    await stage(t);
    const after = readFileSync(join(node.root, "etc/default/grub"));
    t.ok(after.subarray(0, text.length).equals(text));
    t.match(
      read("boot/grub/grub.cfg"),
      new RegExp(`splash quiet amdgpu\\.ppfeaturemask=0xffffffff nosplash ${OPTION}\\n$`),
    );
  });

  await t.test("a failed program leaves the file as it was, and is tried again", async (t) => {
    put("etc/default/grub", "A=1\r\n\r\n");
    put("usr/local/sbin/update-grub", MKCONFIG + LINUX_LINE, 0o755);
    const failed = await run("provision");
    t.same(listStates(failed), { "boot parameters": "failed", "kernel parameters": "blocked" });
    t.match(failed.nodes[0]!.resources[0]!.reason, /a command failed \(exit 127\): .*\/etc\/default\/grub/);
    t.equal(read("etc/default/grub"), "A=1\r\n\r\n", "the blank CRLF line ends the shell of grub-mkconfig");
    put("etc/default/grub", "A=1\r\nGRUB_CMDLINE_LINUX_DEFAULT=quiet\r\n");
    await stage(t);
  });

  await t.test("RHEL: all boot entries get the value from grubby, and GRUB's files are not edited", async (t) => {
    put("etc/default/grub", "GRUB_ENABLE_BLSCFG=true\nGRUB_CMDLINE_LINUX=x\n");
    put("boot/grub2/grub.cfg", "insmod blscfg\nblscfg\n");
    put("boot/loader/entries/a.conf", "title a\noptions root=x ro quiet amdgpu.ppfeaturemask=0xffffffff\n");
    put("boot/loader/entries/b.conf", `title b\noptions root=x ro ${OPTION}\n`);
    put("usr/local/sbin/grubby", GRUBBY, 0o755);
    put("usr/local/sbin/grub2-mkconfig", `${MKCONFIG}exit 9\n`, 0o755);
    t.same(differences(await run("verify")), ["boot entries: amdgpu.ppfeaturemask=0xffffffff"]);
    await stage(t);
    t.equal(read("boot/loader/entries/a.conf"), `title a\noptions root=x ro quiet ${OPTION}\n`);
    t.match(calls(), `grubby --update-kernel=ALL --remove-args=amdgpu.ppfeaturemask --args=${OPTION}\n`);
    t.notMatch(calls(), /mkconfig/);
    t.equal(read("etc/default/grub"), "GRUB_ENABLE_BLSCFG=true\nGRUB_CMDLINE_LINUX=x\n");
  });

  await t.test("boot entries without grubby: grub2-mkconfig updates them", async (t) => {
    put("etc/default/grub", "GRUB_ENABLE_BLSCFG=true\nGRUB_CMDLINE_LINUX=quiet\n");
    put("boot/grub2/grub.cfg", "blscfg\n");
    put("boot/loader/entries/a.conf", "options root=x ro quiet\n");
    const update =
      'case "$*" in *--update-bls-cmdline*) sed -i "s/^options.*/options ro $GRUB_CMDLINE_LINUX/" /boot/loader/entries/*;; esac\n';
    put("usr/local/sbin/grub2-mkconfig", MKCONFIG.replace("$HELP", "--update-bls-cmdline") + update, 0o755);
    await stage(t);
    t.equal(read("boot/loader/entries/a.conf"), `options ro quiet ${OPTION}\n`);
  });

  await t.test("a grub.d folder that grub-mkconfig does not read is not used", async (t) => {
    put("etc/default/grub", "GRUB_TIMEOUT=0\n");
    put("etc/default/grub.d/x.cfg", "");
    put("boot/grub/grub.cfg", "linux /vmlinuz ro\n");
    put("usr/local/sbin/grub-mkconfig", MKCONFIG + LINUX_LINE, 0o755);
    await stage(t);
    t.match(read("etc/default/grub"), /^GRUB_TIMEOUT=0\n# BEGIN muster kernel-params\n/);
  });

  await t.test("Proxmox: the copies that it boots from are refreshed", async (t) => {
    put("etc/kernel/cmdline", "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n");
    put("etc/kernel/proxmox-boot-uuids", "1234-5678\n");
    put("usr/local/sbin/proxmox-boot-tool", '#!/bin/sh\necho "proxmox-boot-tool $*" >>/root/calls\n', 0o755);
    put("usr/local/sbin/kernel-install", "#!/bin/sh\nexit 9\n", 0o755);
    await stage(t);
    t.equal(read("etc/kernel/cmdline"), `root=ZFS=rpool/ROOT/pve-1 boot=zfs ${OPTION}\n`);
    t.equal(calls(), "proxmox-boot-tool refresh\n");
    rmSync(join(node.root, "etc/kernel/cmdline"));
    put("etc/default/grub", "A=1\n");
    put("usr/local/sbin/update-grub", MKCONFIG + LINUX_LINE, 0o755);
    await stage(t);
    t.match(calls(), /refresh\n.*update-grub \nproxmox-boot-tool refresh\n$/s, "also after GRUB's configuration");
  });

  await t.test("a former file of muster in grub.d gives way to one that no other file overrules", async (t) => {
    put("etc/default/grub", "A=1\n");
    put("etc/default/grub.d/99-muster.cfg", "old\n");
    put("etc/default/grub.d/kdump-tools.cfg", "GRUB_CMDLINE_LINUX_DEFAULT=amdgpu.ppfeaturemask=0xffffffff\n");
    const sourced = `${MKCONFIG}for file in /etc/default/grub.d/*.cfg; do . "$file"; done\n${LINUX_LINE}`;
    put("usr/local/sbin/update-grub", sourced, 0o755);
    await stage(t);
    t.notOk(existsSync(join(node.root, "etc/default/grub.d/99-muster.cfg")));
  });
});
