import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { shareLab } from "../lab/sharedlab.js";
import { addressOf, asRoot, BARE_MACHINES, BootstrapFolder, fingerprintOf, makeBare } from "./bootstrapmachine.js";

const { skip, lab, nodes } = await shareLab(t, { nodes: 1, gpus: 0, ...BARE_MACHINES }, "users with passwords");
const [node] = nodes as [(typeof nodes)[0]];
const shop = new BootstrapFolder();
t.teardown(() => shop.remove());
await shop.makeKeys();
if (!skip) await makeBare(node, shop.bootKey);
const address = skip ? "" : addressOf(node);
const OTHER = "  other: {host: 127.0.0.9}\n";
const WITH_KEY = ["--accept-new", "--key", "boot"];

/** Each leaves the inventory as it is. `prepare` and `restore` run on the machine. */
const REFUSALS: {
  name: string;
  words: string[];
  nodes?: string;
  known?: string;
  prepare?: string;
  restore?: string;
  code: number;
  err: RegExp;
}[] = skip
  ? []
  : [
      {
        name: "an unknown host key without a terminal",
        words: [],
        code: 64,
        err: /host key: ssh-ed25519 (SHA256:\S+) is not known, and there is no terminal.*\n {2}next: .*--fingerprint \1/,
      },
      {
        name: "another fingerprint",
        words: ["--fingerprint", `SHA256:${"A".repeat(43)}`],
        code: 69,
        err: /it shows the host key ssh-ed25519 SHA256:\S+, not the one with the fingerprint SHA256:A{43}; nothing was sent/,
      },
      {
        name: "another host key than the recorded one, whatever the flags say",
        words: [...WITH_KEY, "--yes", "--fingerprint", fingerprintOf(lab, node)],
        known: `${node.knownHostsLine.split(" ")[0]} ssh-ed25519 ${"AAAAC3NzaC1lZDI1NTE5AAAAI".padEnd(68, "B")}\n`,
        code: 69,
        err: /HOST KEY HAS CHANGED[\s\S]*next: find out why/,
      },
      {
        name: "a password without a terminal",
        words: ["--accept-new"],
        code: 64,
        err: /rig may not log in with .*; there is no terminal to ask for a password on\n {2}next: .*--key FILE/,
      },
      {
        name: "a rule of sudo without a terminal",
        words: [...WITH_KEY, "--playbooks", "session"],
        code: 64,
        err: /sudo: the playbooks session run programs as root.*NOPASSWD: ALL.*no terminal.*\n {2}next: Add --yes .*--no-sudo/,
      },
      {
        name: "sudo that asks for a password, without a terminal",
        words: ["--accept-new", "--yes", "--playbooks", "session"],
        code: 64,
        err: /sudo: it asks for a password, and there is no terminal.*\n {2}next: .*--no-sudo/,
      },
      {
        name: "no sudo",
        words: ["--accept-new", "--yes", "--playbooks", "session"],
        prepare: "mv /usr/bin/sudo /usr/bin/hidden",
        restore: "mv /usr/bin/hidden /usr/bin/sudo",
        code: 69,
        err: /sudo: it is not installed, and the playbooks session run programs as root\n {2}next: Log in as root .*--no-sudo/,
      },
      {
        name: "no python3 on a system that is not known",
        words: ["--accept-new", "--no-sudo"],
        prepare:
          "echo 'rig ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/asks; mv /usr/bin/python3 /usr/bin/hidden; mv /usr/bin/apt-get /usr/bin/hidden-apt",
        restore: "mv /usr/bin/hidden /usr/bin/python3; mv /usr/bin/hidden-apt /usr/bin/apt-get",
        code: 69,
        err: /python3: it is missing, and Debian.* has neither apt-get nor dnf\n {2}next: /,
      },
      {
        name: "a full disk",
        words: [...WITH_KEY, "--no-sudo"],
        prepare:
          "rm -r /home/rig/.ssh; mkdir /home/rig/.ssh; mount -t tmpfs -o size=4k tmpfs /home/rig/.ssh; echo mine >/home/rig/.ssh/authorized_keys; chown -R rig:rig /home/rig/.ssh; chmod 700 /home/rig/.ssh",
        restore:
          'test "$(cat /home/rig/.ssh/authorized_keys)" = mine; test "$(ls -A /home/rig/.ssh)" = authorized_keys; umount /home/rig/.ssh',
        code: 69,
        err: /public key: the disk is full: .*No space left on device\n {2}next: Free some space/,
      },
      {
        name: "a home folder of somebody else",
        words: [...WITH_KEY, "--no-sudo"],
        prepare: "chown 12345 /home/rig",
        restore: "chown rig /home/rig",
        code: 69,
        err: /public key: \/home\/rig belongs to uid 12345, so sshd takes no key from it\n {2}next: .*chown 4242 \/home\/rig/,
      },
      {
        name: "a home folder to which others may write, without a terminal",
        words: [...WITH_KEY, "--no-sudo"],
        prepare: "chmod 777 /home/rig",
        restore: "chmod 755 /home/rig",
        code: 64,
        err: /others may write .*; new modes: \/home\/rig to 755; there is no terminal.*\n {2}next: Add --yes/,
      },
      {
        name: "a machine that the inventory has under another name",
        words: [...WITH_KEY, "--name", "new"],
        nodes: `  old: {host: ${node.host}, port: ${node.port}}\n`,
        code: 69,
        err: /inventory: it has this machine under the name old\n {2}next: Leave out --name/,
      },
      {
        name: "a machine that the inventory has with another user",
        words: [...WITH_KEY],
        nodes: `  old: {host: ${node.host}, port: ${node.port}, user: root}\n`,
        code: 69,
        err: /inventory: it has this machine as old, with the user root\n {2}next: /,
      },
    ];

t.test("each refusal names machine, step, reason and the next action", { skip }, async (t) => {
  for (const { name, words, nodes: listed = OTHER, known, prepare, restore, code, err } of REFUSALS)
    await t.test(name, async (t) => {
      const text = shop.start(listed, known);
      if (prepare !== undefined) await asRoot(node, prepare);
      const ended = await shop.bootstrap(address, ...words);
      if (restore !== undefined) await asRoot(node, restore);
      t.match(ended, { code, err });
      t.ok(ended.err.startsWith(`${address}: `), ended.err);
      t.notMatch(ended.err, /\n {4}at |undefined/);
      t.equal(shop.read("inventory.yaml"), text);
    });
});

t.test("a server that takes no passwords is not asked for one", { skip }, async (t) => {
  await node.restartSshd({ PasswordAuthentication: "no", AuthorizedKeysFile: "/etc/ssh/none" });
  shop.start(OTHER);
  const ended = await shop.onTerminal(t, [address, "--accept-new"], []);
  t.match(ended, { code: 69, out: /rig may not log in with .*id[\s\S]*next: / });
});

t.test("an inventory that cannot be written is found before a machine is contacted", { skip }, async (t) => {
  shop.start(OTHER);
  const muster = [process.execPath, join(projectRoot(), "dist/bundle/cli/main.js"), "bootstrap", "127.0.0.77:1"];
  const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$0" && exec "$@"';
  const ended = spawnSync("unshare", ["--mount", "sh", "-c", script, shop.folder, ...muster], {
    encoding: "utf8",
    env: { ...process.env, MUSTER_INVENTORY: "" },
  });
  t.match(ended, { status: 69, stderr: /the inventory \S+ cannot be written: the file system there is read-only/ });
});

t.test("wrong usage is told before a machine is contacted", async (t) => {
  const table: [words: string[], err: RegExp][] = [
    [[], /missing required argument 'hosts'/],
    [["localhost"], /this machine needs no first contact/],
    [["a", "b", "--name", "c"], /--name is for one host/],
    [["a", "--fingerprint", "MD5:aa"], /it must be SHA256: and 43 characters/],
    [["a", "--name", "a b"], /--name a b: a node's name has/],
    [["a", "-i", "local"], /is no file/],
  ];
  for (const [words, err] of table) t.match(await shop.bootstrap(...words), { code: 64, err }, words.join(" "));
});
