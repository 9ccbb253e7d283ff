import t from "tap";
import { fileResource } from "../../playbooks/engine/fileresource.js";
import type { Playbook } from "../../playbooks/engine/resource.js";
import { type LabNode, startLab } from "../lab/lab.js";
import { findProgram, lacking } from "../lab/requirements.js";
import { findVerdict, listWrong, TestNode } from "./testnode.js";

const skip = lacking("another user");

const SYSTEM = "file /etc/private/conf";
const OWN = "file ~/own";
const OTHERS = "file /srv/others";

const rules: Playbook = () => [
  fileResource({ path: "/etc/private/conf", content: "1\n", mode: 0o600, owner: "root:root", become: true }),
  fileResource({ path: "~/own", content: "2\n", owner: "rig" }),
  fileResource({ path: "/srv/others", content: "3\n" }),
];

/** What sudo itself says where it would ask for a password, or is not there. */
const refusals = [
  {
    name: "no sudo",
    says: 'echo "sh: 1: exec: sudo: not found" >&2; exit 127',
    reason: /sudo is not installed on the node/,
  },
  {
    name: "sudo would ask",
    says: 'echo "sudo: a password is required" >&2; exit 1',
    reason: /sudo does not allow it without a password: sudo: a password is required/,
  },
];

t.test("commands of a user other than root use sudo", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, user: "rig" });
  t.teardown(() => lab.stop());
  const node = lab.nodes[0]!;
  const root = (script: string) => node.exec(["sh", "-c", `set -e; ${script}`]);
  await root("mkdir -p /etc/private && chmod 700 /etc/private; echo other >/srv/others; chmod 777 /srv");
  const bench = await TestNode.open(lab.inventory(), rules);
  t.teardown(() => bench.connection.close());

  for (const { name, says, reason } of refusals)
    await t.test(name, async (t) => {
      await fakeSudo(node, says);
      const found = await bench.verify();
      t.match(findVerdict(found, SYSTEM), { state: "failed", reason, next: /root|sudo/ });
      const done = await bench.provision();
      t.match(findVerdict(done, SYSTEM), { state: "failed", reason });
      t.ok(["changed", "ok"].includes(findVerdict(done, OWN).state), "the others are done");
      t.match(findVerdict(done, OTHERS), { state: "failed", reason: /its owner cannot be kept or set without root/ });
    });

  const withSudo = findProgram("sudo") === undefined ? "sudo is not installed here" : false;
  await t.test("sudo without a password is used", { skip: withSudo }, async (t) => {
    await root("rm /usr/local/bin/sudo; echo 'rig ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/rig; rm /srv/others");
    const done = await bench.provision();
    t.match(findVerdict(done, SYSTEM), { state: "changed", reason: undefined });
    t.same(listWrong(await bench.verify()), []);
    const { stdout } = await root("stat -c '%U %a' /etc/private/conf /home/rig/own; cat /etc/private/conf");
    t.equal(stdout, "root 600\nrig 644\n1\n");
  });
});

async function fakeSudo(node: LabNode, says: string): Promise<void> {
  await node.exec([
    "sh",
    "-c",
    'printf "#!/bin/sh\\n%s\\n" "$1" >/usr/local/bin/sudo; chmod 755 /usr/local/bin/sudo',
    "sh",
    says,
  ]);
}
