import { mkdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { fileResource } from "../../playbooks/engine/fileresource.js";
import type { Playbook } from "../../playbooks/engine/resource.js";
import files from "../../playbooks/files.js";
import gpuLocks from "../../playbooks/gpu-locks.js";
import ramdisk from "../../playbooks/ramdisk.js";
import { startLab } from "../lab/lab.js";
import { lacking } from "../lab/requirements.js";
import { inventoryWith } from "./runverb.js";
import { type Spoil, spoilAndMend } from "./spoil.js";
import { listWrong, TestNode } from "./testnode.js";

const skip = lacking("files of others, mounts");

const RULES = "file /etc/muster-test.conf";
const SMALL = "file /srv/small/file";
const BOOK = "files /srv/conf/";
const LOCKS = "gpu locks";
const RAM = "ramdisk /dev/shm/step3";

const spoils: Spoil[] = [
  { name: "content", script: "echo x >>/etc/muster-test.conf", resource: RULES, says: /^content: \d+ bytes/ },
  { name: "emptied", script: ": >/etc/muster-test.conf", resource: RULES, says: /^content: 0 bytes/ },
  { name: "mode", script: "chmod 666 /etc/muster-test.conf", resource: RULES, says: /^mode: 0666 \/ 0640$/ },
  { name: "setuid", script: "chmod 4640 /etc/muster-test.conf", resource: RULES, says: /^mode: 04640 \/ 0640$/ },
  { name: "owner", script: "chown rig /etc/muster-test.conf", resource: RULES, says: /^owner: rig:root \/ root:root$/ },
  { name: "group", script: "chgrp rig /etc/muster-test.conf", resource: RULES, says: /^owner: root:rig \/ root:root$/ },
  { name: "missing", script: "rm /etc/muster-test.conf", resource: RULES, says: /^file: missing/ },
  {
    name: "a link into elsewhere",
    script:
      "mv /etc/muster-test.conf /root/elsewhere; echo other >/root/elsewhere; ln -s /root/elsewhere /etc/muster-test.conf",
    resource: RULES,
    says: /^file: a link to \/root\/elsewhere/,
  },
  {
    name: "a folder where the file should be",
    script: "rm /etc/muster-test.conf; mkdir /etc/muster-test.conf; touch /etc/muster-test.conf/precious",
    resource: RULES,
    says: /^file: a folder/,
    kept: {
      reason: /a folder is where the file should be/,
      undo: "test -e /etc/muster-test.conf/precious && rm -r /etc/muster-test.conf",
    },
  },
  {
    name: "a pipe where the file should be",
    script: "rm /etc/muster-test.conf; mkfifo /etc/muster-test.conf",
    resource: RULES,
    says: /^file: a device, pipe or socket/,
    kept: { reason: /pipe or socket is where/, undo: "rm /etc/muster-test.conf" },
  },
  {
    name: "a full disk",
    script: "mount -t tmpfs -o size=32k tmpfs /srv/small; head -c 28k /dev/zero >/srv/small/ballast",
    resource: SMALL,
    says: /^file: missing/,
    kept: {
      reason: /No space left on device/,
      undo: 'test -z "$(ls -A /srv/small | grep -v ballast)" && umount /srv/small',
    },
  },
  {
    name: "a read-only file system",
    script: "mount -t tmpfs -o ro tmpfs /srv/small",
    resource: SMALL,
    says: /^file: missing/,
    kept: { reason: /Read-only file system/, undo: "umount /srv/small" },
  },
  { name: "synced: content", script: "echo >/srv/conf/deep/a.json", resource: BOOK, says: /^deep\/a.json: content/ },
  { name: "synced: mode", script: "chmod 777 /srv/conf/run.sh", resource: BOOK, says: /^run.sh: mode: 0777 \/ 0644/ },
  { name: "synced: a folder gone", script: "rm -r /srv/conf/deep", resource: BOOK, says: /^deep: folder: missing/ },
  { name: "synced: all gone", script: "rm -r /srv/conf", resource: BOOK, says: /^deep: folder: missing/ },
  {
    name: "synced: a folder is a link into elsewhere",
    script: "rm -r /srv/conf/deep; mkdir /srv/elsewhere; ln -s /srv/elsewhere /srv/conf/deep",
    resource: BOOK,
    says: /^deep: folder: a link to \/srv\/elsewhere/,
    kept: {
      reason: /something else is where the folder should be/,
      undo: "rmdir /srv/elsewhere && rm /srv/conf/deep",
    },
  },
  { name: "ramdisk: gone", script: "rm -r /dev/shm/step3", resource: RAM, says: /^train.json: file: missing/ },
  { name: "ramdisk: content", script: "echo >/dev/shm/step3/train.json", resource: RAM, says: /^train.json: content/ },
  {
    name: "ramdisk: readable by all",
    script: "chmod 644 /dev/shm/step3/train.json",
    resource: RAM,
    says: /mode: 0644 \/ 0600/,
  },
  {
    name: "ramdisk: writable by all",
    script: "chmod 777 /dev/shm/step3",
    resource: RAM,
    says: /^\/dev\/shm\/step3: is writable by everyone \/ safe from others \(run `chmod o-w /,
  },
  {
    name: "ramdisk: writable by all, with the sticky bit",
    script: "chmod 1777 /dev/shm/step3",
    resource: RAM,
    says: /^\/dev\/shm\/step3: is writable by everyone/,
  },
  {
    name: "ramdisk: another user's folder, and file",
    script: "chown -R 4242 /dev/shm/step3",
    resource: RAM,
    says: /^\/dev\/shm\/step3: belongs to rig \(uid 4242\)/,
  },
  {
    name: "ramdisk: another user's file",
    script: "chown 4242 /dev/shm/step3/train.json",
    resource: RAM,
    says: /^train.json: owner: rig \(uid 4242\)/,
  },
  {
    name: "ramdisk: another user's link",
    script: "mv /dev/shm/step3 /dev/shm/away; ln -s away /dev/shm/step3; chown -h 4242 /dev/shm/step3",
    resource: RAM,
    says: /^folder: a link to away/,
    kept: {
      reason: /\/dev\/shm\/step3 belongs to rig \(uid 4242\): others could change the files/,
      undo: "rm /dev/shm/step3; mv /dev/shm/away /dev/shm/step3",
    },
  },
  {
    name: "gpu locks: a file gone",
    script: "rm /var/lib/muster/gpu-locks/gpu-1.lock",
    resource: LOCKS,
    says: /^gpu-1.lock: missing \/ a file/,
  },
  {
    name: "gpu locks: a link in the place of a file",
    script: "ln -sf /etc/hostname /var/lib/muster/gpu-locks/gpu-0.lock",
    resource: LOCKS,
    says: /^gpu-0.lock: a link to \/etc\/hostname/,
  },
  {
    name: "gpu locks: another user's folder",
    script: "chown 4242 /var/lib/muster",
    resource: LOCKS,
    says: /^\/var\/lib\/muster: owner: rig:root \/ root:root/,
  },
  {
    name: "gpu locks: anyone may make files there",
    script: "chmod 1777 /var/lib/muster/gpu-locks",
    resource: LOCKS,
    says: /^\/var\/lib\/muster\/gpu-locks: mode: 01777 \/ 0755/,
  },
  {
    name: "ramdisk: no room for it",
    script: "rm -r /dev/shm/step3; mkdir /dev/shm/step3; mount -t tmpfs -o size=16k tmpfs /dev/shm/step3",
    resource: RAM,
    says: /^train.json: file: missing/,
    kept: {
      reason: /27\.3 KiB are needed, but the file system has only 16\.0 KiB left/,
      undo: "umount /dev/shm/step3; rmdir /dev/shm/step3",
    },
  },
];

const rules: Playbook = () => [
  fileResource({ path: "/etc/muster-test.conf", content: "a = 1\n", mode: 0o640, owner: "root:root", become: true }),
  fileResource({ path: "/srv/small/file", content: "x".repeat(20_000) }),
];

const all: Playbook = async function* (subject) {
  yield* rules(subject);
  yield* files(subject);
  yield* ramdisk(subject);
  yield* gpuLocks(subject);
};

t.test("drift is found, corrected, and then gone", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 2 });
  t.teardown(() => lab.stop());
  mkdirSync(join(lab.folder, "conf/deep"), { recursive: true });
  const inventory = inventoryWith(
    lab,
    { top: { files: { "/srv/conf/": "conf/" }, ramdisk: { "/dev/shm/step3": ["train.json"] } } },
    { "conf/run.sh": "#!/bin/sh\n", "conf/deep/a.json": "{}\n", "train.json": "x".repeat(28_000) },
  );
  const bench = await TestNode.open(inventory, all);
  t.teardown(() => bench.connection.close());
  const [node] = lab.nodes;
  const first = await bench.provision();
  t.same(
    first.verdicts.map(({ state }) => state),
    ["changed", "changed", "changed", "changed", "changed"],
  );
  const clean = await bench.provision();
  t.same(listWrong(clean), [], "a second provision changes nothing");
  t.equal(clean.fingerprint, first.fingerprint);
  t.equal((await bench.verify()).fingerprint, first.fingerprint);

  for (const spoil of spoils) await t.test(spoil.name, (t) => spoilAndMend(t, bench, node!, spoil));
  const { stdout } = await node!.exec(["cat", "/root/elsewhere"]);
  t.equal(stdout, "other\n", "the target of a link is never written");
  const left = await node!.exec(["find", "/etc", "/srv", "/dev/shm", "-name", ".muster-*"]);
  t.equal(left.stdout, "", "nothing half-written stays");
});
