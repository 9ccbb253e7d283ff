import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { findProgram } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { PackageRepo, type TestPackage } from "./packagerepo.js";
import { type Spoil, spoilAndMend } from "./spoil.js";
import { findVerdict, listWrong, TestNode } from "./testnode.js";

const { skip: noLab, lab, nodes } = await shareLab(t, { nodes: ["rig"], gpus: 0 }, "packages of its own");
const lacking = ["apt-get", "dpkg-deb", "gpg"].filter((name) => findProgram(name) === undefined);
const skip = noLab || (lacking.length > 0 && `needs ${lacking.join(", ")}`);
const node = nodes[0]!;

const PACKAGES: TestPackage[] = [
  { name: "muster-a", version: "1.0" },
  { name: "muster-a", version: "2.0" },
  { name: "muster-b", version: "1.0", fields: ["Depends: muster-a"] },
  { name: "muster-c", version: "1.0", fields: ["Conflicts: muster-b"] },
  { name: "muster-d", version: "1.0" },
];
/** So that nothing but the test's own source is asked. */
const PREPARE = "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*";

/** Frees the lock when apt has begun to install, which no simulation is. */
const WAIT_FOR_INSTALL = `for i in $(seq 1200); do
  pgrep -af '^apt-get .* install ' | grep -qv simulate && break
  sleep 0.05
done
rm /run/locked`;

const STATE = {
  package_sources: { test: { uri: "file:/srv/repo", suite: "./", key: "key.asc", fingerprint: "" } },
  packages: { "muster-b": "present", "muster-a": { version: "1.0", hold: true }, "muster-d": "absent" },
};

const openNode = (keys: Record<string, unknown>) =>
  TestNode.open(lab.inventory({ node: keys, top: { playbooks: ["packages"] } }));

const spoils: Spoil[] = [
  {
    name: "package: gone",
    script: "dpkg -r muster-b",
    resource: "packages",
    says: /^package muster-b: absent \/ present$/,
  },
  {
    name: "package: a newer version",
    script: "apt-mark unhold muster-a; apt-get install -y muster-a=2.0",
    resource: "packages",
    says: /^package muster-a: 2\.0, not held \/ 1\.0, held$/,
  },
  {
    name: "package: not held",
    script: "apt-mark unhold muster-a",
    resource: "packages",
    says: /^package muster-a: 1\.0, not held \/ 1\.0, held$/,
  },
  {
    name: "package: one that must not be there",
    script: "apt-get install -y muster-d",
    resource: "packages",
    says: /^package muster-d: 1\.0 \/ absent$/,
  },
  {
    name: "package: half-installed",
    script: "sed -i '/^Package: muster-b$/,/^$/s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status",
    resource: "packages",
    says: /^package muster-b: half-configured \/ present$/,
  },
  {
    name: "package: another one is in the way",
    script: "dpkg -r muster-b; apt-get install -y muster-c",
    resource: "packages",
    says: /^package muster-b: absent \/ present$/,
    kept: { reason: /^apt would also remove muster-c$/, undo: "dpkg -r muster-c" },
  },
  {
    name: "package source: another address",
    script: "sed -i s:/srv/repo:/srv/other: /etc/apt/sources.list.d/muster-test.sources",
    resource: "package source test",
    says: /^\/etc\/apt\/sources\.list\.d\/muster-test\.sources: content/,
  },
  {
    name: "package source: another key",
    script: "echo >/etc/apt/keyrings/muster-test.asc",
    resource: "package source test",
    says: /^\/etc\/apt\/keyrings\/muster-test\.asc: content/,
  },
];

t.test("packages and their sources", { skip }, async (t) => {
  await node.exec(["sh", "-ec", PREPARE]);
  const repo = new PackageRepo(join(node.root, "srv/repo"), join(lab.folder, "key.asc"), PACKAGES);
  t.teardown(() => repo.remove());
  STATE.package_sources.test.fingerprint = repo.fingerprint;
  const bench = await openNode(STATE);
  t.teardown(() => bench.connection.close());
  t.same(listWrong(await bench.provision()), ["package source test: changed", "packages: changed"]);
  t.equal(readFileSync(join(node.root, "usr/share/muster-a/version"), "utf8"), "1.0\n");
  t.same(listWrong(await bench.provision()), [], "a second provision changes nothing");

  for (const spoil of spoils) await t.test(spoil.name, (t) => spoilAndMend(t, bench, node, spoil));

  await t.test("what apt refuses is explained", async (t) => {
    const wrong = { ...STATE, packages: { "muster-x": "present" } };
    const bench = await openNode(wrong);
    t.teardown(() => bench.connection.close());
    t.match(findVerdict(await bench.provision(), "packages"), {
      state: "failed",
      reason: "there is no package muster-x",
      next: /package_sources/,
    });
  });
  await t.test("a name that apt takes for a pattern, and a package that somebody holds", async (t) => {
    const reasons = async (packages: Record<string, unknown>) => {
      const bench = await openNode({ ...STATE, packages });
      t.teardown(() => bench.connection.close());
      return findVerdict(await bench.provision(), "packages").reason;
    };
    t.match(
      await reasons({ "muster.d": "present" }),
      /^there is no package muster\.d; apt would install others in its place$/,
    );
    await node.exec([
      "sh",
      "-ec",
      "apt-get install -y --allow-downgrades --allow-change-held-packages muster-a=1.0; apt-mark hold muster-a",
    ]);
    t.match(await reasons({ "muster-a": { version: "2.0" } }), /held|somebody holds/);
    await node.exec(["apt-mark", "unhold", "muster-a"]);
  });
  await t.test("another package manager is waited for", async (t) => {
    const held = node.exec([
      "python3",
      "-c",
      `import fcntl, os, time
fd = os.open("/var/lib/dpkg/lock-frontend", os.O_RDWR | os.O_CREAT)
fcntl.lockf(fd, fcntl.LOCK_EX)
open("/run/locked", "w").close()
while os.path.exists("/run/locked"): time.sleep(0.05)`,
    ]);
    await node.exec(["sh", "-c", "until [ -e /run/locked ]; do sleep 0.1; done"]);
    const wanted = await openNode({ ...STATE, packages: { "muster-d": "present" } });
    t.teardown(() => wanted.connection.close());
    const done = wanted.provision();
    await node.exec(["sh", "-c", WAIT_FOR_INSTALL]);
    await held;
    t.match(findVerdict(await done, "packages"), { state: "changed" });
  });

  await t.test("a key that is another one is refused", async (t) => {
    const fails = async (change: Record<string, string>, reason: RegExp) => {
      const bench = await openNode({ package_sources: { test: { ...STATE.package_sources.test, ...change } } });
      t.match((await bench.verify()).verdicts[0]!.reason, reason);
      await bench.connection.close();
    };
    writeFileSync(join(lab.folder, "nokey"), "x");
    await fails(
      { fingerprint: "0".repeat(40) },
      /^package_sources\.test\.key: the key has the fingerprint [0-9A-F]{40}, not 0{40}$/,
    );
    await fails({ key: "nokey" }, /nokey is not one OpenPGP public key/);
  });
});
