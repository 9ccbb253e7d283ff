import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { findProgram } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { type Spoil, spoilAndMend } from "./spoil.js";
import { findVerdict, listWrong, TestNode } from "./testnode.js";

const { skip: noLab, lab, nodes } = await shareLab(t, { nodes: ["rig"], gpus: 0 }, "mounts of its own");
const lacking = ["git"].filter((name) => findProgram(name) === undefined);
const skip = noLab || (lacking.length > 0 && `needs ${lacking.join(", ")}`);

const COMMIT = "git -c user.email=a@example.org -c user.name=a commit -qm x";
const PREPARE = `git init -q /srv/project && cd /srv/project && echo 1 >f && git add f && ${COMMIT} && git tag v1
echo 2 >f && echo wanted >ignored && git add f ignored && ${COMMIT} && git tag v2
printf 'a\\r\\nPort 22\\r\\n#Port 23\\r\\nend' >/etc/app.conf
printf '\\377 not UTF-8\\n' >/etc/app.bytes
mkdir -p /sys/module/loaded`;
const CONF = `server {
  name {node};
  token "{token}";
}
`;

const node = nodes[0]!;

/** Writes the inventory; `keys` are those of the node. */
function writeState(keys: Record<string, unknown>): string {
  const playbooks = ["groups", "lines", "templates", "git", "mounts", "modules"];
  return lab.inventory({ node: keys, top: { playbooks } });
}

/** The first provision of the node, after which everything is in sync. */
async function openNode(keys: Record<string, unknown>): Promise<TestNode> {
  const bench = await TestNode.open(writeState(keys));
  t.same(
    listWrong(await bench.provision()).filter((one) => !one.endsWith(": changed")),
    [],
  );
  return bench;
}

const STATE = {
  groups: { video: ["rig"] },
  lines: {
    "/etc/app.conf": [
      { line: "Port 24", match: "^#?Port " },
      { line: "new" },
      { absent: "^a$" },
      { block: "one\ntwo\n", name: "rocm" },
    ],
    "/etc/app.bytes": [{ line: "x = 1" }],
    "~/.profile": [{ line: "export A=1" }],
  },
  values: { token: { file: "token" }, unused: { env: "MUSTER_TEST_UNSET" } },
  templates: { "/etc/app/server.conf": { source: "server.conf", mode: "0640", owner: "root:rig" } },
  git: { "~/project": { repo: "/srv/project", at: "v1" } },
  mounts: { "/srv/a b": { device: "tmpfs", type: "tmpfs", options: ["size=1m", "noexec"] } },
  modules: { loaded: { loaded: true, options: { mask: "0xff" } }, nouveau: { blacklist: true } },
};

const spoils: Spoil[] = [
  {
    name: "group: no member any more",
    script: "gpasswd -d rig video",
    resource: "group video",
    says: /^user rig: not a member \/ in group video$/,
  },
  {
    name: "lines: another value",
    script: "sed -i 's/^Port 24/Port 25/' /etc/app.conf",
    resource: "lines of /etc/app.conf",
    says: /^content: differs \/ "Port 24"$/,
  },
  {
    name: "lines: one that must not be there",
    script: "printf 'a\\r\\n' >>/etc/app.conf",
    resource: "lines of /etc/app.conf",
    says: /^content: differs \/ no line "\^a\$"$/,
  },
  {
    name: "lines: a block is changed",
    script: "sed -i 's/^two/three/' /etc/app.conf",
    resource: "lines of /etc/app.conf",
    says: /^content: differs \/ block rocm$/,
  },
  {
    name: "lines: no file",
    script: "rm ~/.profile",
    resource: "lines of ~/.profile",
    says: /^content: no file \/ "export A=1"$/,
  },
  {
    name: "lines: a folder",
    script: "mv /etc/app.bytes /etc/app.kept; mkdir /etc/app.bytes",
    resource: "lines of /etc/app.bytes",
    says: /^file: a folder \/ a text file$/,
    kept: { reason: /^\/etc\/app\.bytes: a folder$/, undo: "rmdir /etc/app.bytes; mv /etc/app.kept /etc/app.bytes" },
  },
  {
    name: "template: content",
    script: "echo x >>/etc/app/server.conf",
    resource: "template /etc/app/server.conf",
    says: /^content: /,
  },
  {
    name: "template: mode",
    script: "chmod 644 /etc/app/server.conf",
    resource: "template /etc/app/server.conf",
    says: /^mode: 0644 \/ 0640$/,
  },
  {
    name: "template: owner",
    script: "chgrp root /etc/app/server.conf",
    resource: "template /etc/app/server.conf",
    says: /^owner: root:root \/ root:rig$/,
  },
  {
    name: "git: another commit",
    script: "cd ~/project && git checkout -q v2",
    resource: "git ~/project",
    says: /^git ~\/project: [0-9a-f]{12} \/ v1 \([0-9a-f]{12}\)$/,
  },
  {
    name: "git: gone",
    script: "rm -r ~/project",
    resource: "git ~/project",
    says: /^git ~\/project: missing \/ v1$/,
  },
  {
    name: "git: another origin",
    script: "cd ~/project && git remote set-url origin /srv/other",
    resource: "git ~/project",
    says: /^git ~\/project origin: \/srv\/other \/ \/srv\/project$/,
  },
  {
    name: "git: local changes",
    script: "cd ~/project && echo mine >f",
    resource: "git ~/project",
    says: /^git ~\/project: changed: M f \/ no local changes$/,
    kept: {
      reason: /^git ~\/project: changed: M f$/,
      undo: 'cd ~/project && test "$(cat f)" = mine && git checkout -q f',
    },
  },
  {
    name: "git: local commits",
    script: `cd ~/project && echo mine >f && git add f && ${COMMIT} && git rev-parse HEAD >/root/own`,
    resource: "git ~/project",
    says: /^git ~\/project: [0-9a-f]{12} \/ v1/,
    kept: {
      reason: /^git ~\/project: 1 commits? of its own$/,
      undo: 'cd ~/project && test "$(git rev-parse HEAD)" = "$(cat /root/own)" && git checkout -q v1',
    },
  },
  {
    name: "git: no checkout",
    script: "mv ~/project ~/kept; mkdir ~/project; touch ~/project/precious",
    resource: "git ~/project",
    says: /^git ~\/project: no checkout of git \/ v1$/,
    kept: { reason: /no checkout of git/, undo: "rm ~/project/precious; rmdir ~/project; mv ~/kept ~/project" },
  },
  {
    name: "mount: not mounted",
    script: "umount '/srv/a b'",
    resource: "mount /srv/a b",
    says: /^\/srv\/a b: not mounted \/ tmpfs of tmpfs$/,
  },
  {
    name: "mount: other options",
    script: "mount -o remount,exec '/srv/a b'",
    resource: "mount /srv/a b",
    says: /^\/srv\/a b: mounted without noexec \/ noexec$/,
  },
  {
    name: "mount: no entry",
    script: "sed -i '/a.040b/d' /etc/fstab",
    resource: "mount /srv/a b",
    says: /^\/etc\/fstab: no entry \/ tmpfs \/srv\/a\\040b tmpfs size=1m,noexec 0 0$/,
  },
  {
    name: "mount: something else is there",
    script: "umount '/srv/a b'; mount -t proc proc '/srv/a b'",
    resource: "mount /srv/a b",
    says: /^\/srv\/a b: proc of proc \/ tmpfs of tmpfs$/,
    kept: { reason: /^\/srv\/a b: proc of proc$/, undo: "umount '/srv/a b'" },
  },
  {
    name: "module: other options",
    script: "echo 'options loaded mask=0' >/etc/modprobe.d/muster-loaded.conf",
    resource: "module loaded",
    says: /^\/etc\/modprobe\.d\/muster-loaded\.conf: content/,
  },
  {
    name: "module: not at boot",
    script: "rm /etc/modules-load.d/muster-loaded.conf",
    resource: "module loaded",
    says: /^\/etc\/modules-load\.d\/muster-loaded\.conf: file: missing/,
  },
  {
    name: "module: not loaded, and modprobe fails",
    script: "rmdir /sys/module/loaded",
    resource: "module loaded",
    says: /^module loaded: not loaded \/ loaded$/,
    kept: { reason: /^a command failed \(exit \d+\): .*modprobe: /, undo: "mkdir /sys/module/loaded" },
  },
];

t.test("groups, lines, templates, checkouts, mounts and modules", { skip }, async (t) => {
  await node.exec(["sh", "-ec", PREPARE]);
  writeFileSync(join(lab.folder, "token"), "s3cret\n");
  writeFileSync(join(lab.folder, "server.conf"), CONF);
  const bench = await openNode(STATE);
  t.teardown(() => bench.connection.close());
  const read = (path: string) => readFileSync(join(node.root, path), "latin1");
  t.equal(read("etc/app.conf"), "Port 22\r\nPort 24\r\nend\r\nnew\r\n# BEGIN rocm\r\none\r\ntwo\r\n# END rocm\r\n");
  t.equal(read("etc/app.bytes"), "\xff not UTF-8\nx = 1\n");
  t.equal(read("etc/app/server.conf"), 'server {\n  name rig;\n  token "s3cret";\n}\n');
  t.same(listWrong(await bench.provision()), [], "a second provision changes nothing");

  for (const spoil of spoils) await t.test(spoil.name, (t) => spoilAndMend(t, bench, node, spoil));

  await t.test("an ignored file is not overwritten, and a wrong tag can be corrected", async (t) => {
    const at = async (folder: string, tag: string) => {
      const keys = { git: { [folder]: { repo: "/srv/project", at: tag } } };
      const other = await TestNode.open(lab.inventory({ node: keys, top: { playbooks: ["git"] } }));
      t.teardown(() => other.connection.close());
      return findVerdict(await other.provision(), `git ${folder}`);
    };
    await node.exec(["sh", "-c", "cd ~/project && echo ignored >.git/info/exclude && echo mine >ignored"]);
    t.match(await at("~/project", "v2"), { state: "failed", reason: /overwritten/ });
    t.equal((await node.exec(["sh", "-c", "cat ~/project/ignored"])).stdout, "mine\n");
    t.match(await at("~/new", "v9"), { state: "failed", reason: /the repository has no tag or commit v9/ });
    t.match(await at("~/new", "v2"), { state: "changed" });
  });
  await t.test("a file that is not for everyone is shown without its lines", async (t) => {
    await node.exec([
      "sh",
      "-c",
      "chmod 600 /etc/fstab; echo '//nas/x /x cifs password=s3cret 0 0' >>/etc/fstab; sed -i /040b/d /etc/fstab",
    ]);
    const { verdicts } = await bench.verify();
    t.match(findVerdict({ verdicts, fingerprint: "" }, "mount /srv/a b"), { state: "drift" });
    t.notMatch(JSON.stringify(verdicts), /s3cret/);
    t.match(findVerdict(await bench.provision(), "mount /srv/a b"), { state: "changed" });
    t.match(readFileSync(join(node.root, "etc/fstab"), "utf8"), /password=s3cret/, "other entries stay");
    await node.exec(["sh", "-c", "mv /etc/fstab /etc/real; ln -s real /etc/fstab"]);
    t.match(findVerdict(await bench.provision(), "mount /srv/a b"), { state: "failed", reason: /a link to real/ });
    await node.exec(["mv", "/etc/real", "/etc/fstab"]);
  });
  await t.test("a secret is never shown", async (t) => {
    await node.exec(["sh", "-c", "echo 'token other' >/etc/app/server.conf"]);
    const shown = JSON.stringify([(await bench.verify()).verdicts, (await bench.provision()).verdicts]);
    t.notMatch(shown, /s3cret|token other/);
    t.match(shown, /template \/etc\/app\/server.conf/);
  });
});

t.test("what contradicts itself is refused before anything changes", { skip }, async (t) => {
  const fails = async (keys: Record<string, unknown>, reason: RegExp) => {
    const bench = await TestNode.open(writeState(keys));
    const { verdicts } = await bench.verify();
    await bench.connection.close();
    t.match(verdicts.map((one) => one.reason ?? "").join("\n"), reason);
  };
  await fails({ templates: { "/etc/x": { source: "none" } } }, /templates\.\/etc\/x\.source: .*none: ENOENT/);
  await fails({ templates: { "/etc/x": { source: "server.conf" } } }, /server\.conf:3:10: there is no value "token"/);
  await fails({ lines: { "/etc/x": [{ line: "a", match: "^b" }] } }, /lines\.\/etc\/x\[0\] has a match/);
  await fails(
    { templates: STATE.templates, values: { token: { env: "MUSTER_TEST_UNSET" } } },
    /values\.token: the environment variable MUSTER_TEST_UNSET is not set/,
  );
  await fails(
    {
      templates: STATE.templates,
      values: { token: { command: ["sh", "-c", "echo s3cret; echo locked >&2; exit 2"] } },
    },
    /^values\.token: sh failed \(exit 2\): locked$/,
  );
});
