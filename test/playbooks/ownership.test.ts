import t from "tap";
import gpuLocks from "../../playbooks/gpu-locks.js";
import ramdisk from "../../playbooks/ramdisk.js";
import { startLab } from "../lab/lab.js";
import { lacking } from "../lab/requirements.js";
import { inventoryWith } from "./runverb.js";
import { findVerdict, listWrong, TestNode } from "./testnode.js";

const skip = lacking("another user");
const RAM = "ramdisk /dev/shm/prng/step3";

t.test("a ramdisk can belong to a user other than root", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, user: "rig" });
  t.teardown(() => lab.stop());
  const change = { top: { ramdisk: { "/dev/shm/prng/step3": ["train.json"] } } };
  const bench = await TestNode.open(inventoryWith(lab, change, { "train.json": "[1]\n" }), ramdisk);
  t.teardown(() => bench.connection.close());
  const root = (script: string) => lab.nodes[0]!.exec(["sh", "-c", `set -e; cd /dev/shm/prng; ${script}`]);
  t.match(findVerdict(await bench.provision(), RAM), { state: "changed" });
  t.same(listWrong(await bench.verify()), []);

  for (const [name, script, have] of [
    ["writable by others", "chmod 770 step3; chgrp daemon step3", "is writable by group daemon"],
    ["another user's file", "chown daemon step3/train.json; chmod 644 step3/train.json", "daemon (uid 1)"],
  ] as const)
    await t.test(`${name}: repaired`, async (t) => {
      await root(script);
      const { state, differences } = findVerdict(await bench.verify(), RAM);
      t.equal(state, "drift");
      t.ok(
        differences.some((one) => one.have === have),
        JSON.stringify(differences),
      );
      t.match(findVerdict(await bench.provision(), RAM), { state: "changed" });
      t.same(listWrong(await bench.verify()), []);
      t.equal((await root("stat -c '%U %a' step3 step3/train.json")).stdout, "rig 700\nrig 600\n");
    });

  for (const [name, script, undo, reason] of [
    [
      "another user's folder",
      "chown daemon step3; chmod 755 step3",
      "chown rig step3",
      /step3 belongs to daemon \(uid 1\)/,
    ],
    ["another user's folder above", "chown daemon .", "chown rig .", /\/dev\/shm\/prng belongs to daemon/],
    [
      "all may rename it",
      "chmod 777 .",
      "chmod 755 .",
      /\/dev\/shm\/prng is writable by everyone and has no sticky bit/,
    ],
  ] as const)
    await t.test(`${name}: refused`, async (t) => {
      await root(script);
      t.equal(findVerdict(await bench.verify(), RAM).state, "drift");
      t.match(findVerdict(await bench.provision(), RAM), {
        state: "failed",
        reason,
        next: /^On the node, (run `chmod|have root)/,
      });
      await root(undo);
      await bench.provision();
      t.same(listWrong(await bench.verify()), []);
    });
  t.match(findVerdict(await bench.provision(), RAM), { state: "ok" });
  await root("chown root step3; chmod 755 step3");
  t.same(listWrong(await bench.verify()), [], "root's folder is fine");
});

t.test("lock files are not replaced while agents may hold them", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 2 });
  t.teardown(() => lab.stop());
  const bench = await TestNode.open(lab.inventory(), gpuLocks);
  t.teardown(() => bench.connection.close());
  const inodes = async () =>
    (await lab.nodes[0]!.exec(["sh", "-c", "cd /var/lib/muster/gpu-locks && stat -c '%i %U:%G %a' gpu-*"])).stdout;
  t.match(findVerdict(await bench.provision(), "gpu locks"), { state: "changed" });
  const made = await inodes();
  t.match(made, /^\d+ root:root 644\n\d+ root:root 644\n$/);
  await lab.nodes[0]!.exec(["chmod", "666", "/var/lib/muster/gpu-locks/gpu-0.lock"]);
  t.match(findVerdict(await bench.provision(), "gpu locks"), { state: "changed" });
  t.equal(await inodes(), made);
  t.match(findVerdict(await bench.provision(), "gpu locks"), { state: "ok" });
});
