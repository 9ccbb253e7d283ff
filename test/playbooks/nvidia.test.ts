import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { findProgram } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { PackageRepo, type TestPackage } from "./packagerepo.js";
import { type Spoil, spoilAndMend } from "./spoil.js";
import { findVerdict, listWrong, TestNode } from "./testnode.js";

const options = { nodes: ["zeus"], gpus: 2, vendor: "nvidia" as const };
const { skip: noLab, lab, nodes } = await shareLab(t, options, "packages of its own");
const lacking = ["apt-get", "dpkg-deb", "gpg"].filter((name) => findProgram(name) === undefined);
const skip = noLab || (lacking.length > 0 && `needs ${lacking.join(", ")}`);
const node = nodes[0]!;

/** So that nothing but the test's own source is asked; the node has no driver of its own. */
const PREPARE = "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*";
const MODULE = "sys/module/nvidia";

/** Stands for Ubuntu's packages of the driver: what modinfo says of the module that they build. */
const modinfo = (version: string) => ({
  "usr/local/bin/modinfo": `#!/bin/sh\ncase $2 in version | srcversion) echo ${version};; esac\n`,
});
const PACKAGES: TestPackage[] = [
  { name: "nvidia-driver-550", version: "550.163.01-0ubuntu1", files: modinfo("550.163.01") },
  { name: "nvidia-driver-535", version: "535.183.01-0ubuntu1", files: modinfo("535.183.01") },
].map((one, index, all) => ({ ...one, fields: [`Conflicts: ${all[1 - index]!.name}`] }));

/** The driver that the kernel has loaded. */
function load(version: string): void {
  mkdirSync(join(node.root, MODULE), { recursive: true });
  for (const name of ["version", "srcversion"]) writeFileSync(join(node.root, MODULE, name), `${version}\n`);
}

const KEYS = {
  package_sources: { test: { uri: "file:/srv/repo", suite: "./", key: "key.asc", fingerprint: "" } },
  nvidia: { driver: 550 },
};
const openNode = (nvidia: Record<string, unknown> = KEYS.nvidia) =>
  TestNode.open(lab.inventory({ node: { ...KEYS, nvidia }, top: { playbooks: ["packages", "nvidia"] } }));

const PACKAGE = "packages of NVIDIA";
const spoils: Spoil[] = [
  {
    name: "no driver",
    script: "dpkg -r --force-depends nvidia-driver-550",
    resource: PACKAGE,
    says: /^package nvidia-driver-550: absent, not held \/ present, held$/,
  },
  {
    name: "not held",
    script: "apt-mark unhold nvidia-driver-550",
    resource: PACKAGE,
    says: /^package nvidia-driver-550: 550\.163\.01-0ubuntu1, not held \/ present, held$/,
  },
  {
    name: "half-installed",
    script:
      "sed -i '/^Package: nvidia-driver-550$/,/^$/s/^Status: .*/Status: hold ok half-configured/' /var/lib/dpkg/status",
    resource: PACKAGE,
    says: /^package nvidia-driver-550: half-configured \/ present$/,
  },
];

t.test("a branch of NVIDIA's driver, from packages that stand for Ubuntu's", { skip }, async (t) => {
  await node.exec(["sh", "-ec", PREPARE]);
  const repo = new PackageRepo(join(node.root, "srv/repo"), join(lab.folder, "key.asc"), PACKAGES);
  t.teardown(() => repo.remove());
  KEYS.package_sources.test.fingerprint = repo.fingerprint;
  rmSync(join(node.root, MODULE), { recursive: true, force: true });
  const bench = await openNode();
  t.teardown(() => bench.connection.close());
  const made = await bench.provision();
  t.same(listWrong(made), ["package source test: changed", `${PACKAGE}: changed`, "loaded nvidia: needs reboot"]);
  t.same(findVerdict(made, "loaded nvidia").differences, [
    { what: "module nvidia", have: "not loaded", want: "550.163.01" },
  ]);
  load("550.163.01");
  t.same(listWrong(await bench.provision()), [], "a second provision changes nothing");

  for (const spoil of spoils)
    await t.test(spoil.name, async (t) => {
      await spoilAndMend(t, bench, node, spoil);
    });

  await t.test("the driver was updated, and an old one is loaded", async (t) => {
    load("550.54.15");
    const { state, differences } = findVerdict(await bench.verify(), "loaded nvidia");
    t.equal(state, "needs reboot");
    t.same(differences, [{ what: "module nvidia", have: "550.54.15 is loaded", want: "550.163.01" }]);
    load("550.163.01");
  });

  await t.test("another branch is in the way", async (t) => {
    const other = await openNode({ driver: 535 });
    t.teardown(() => other.connection.close());
    const inspection = await other.provision();
    t.match(findVerdict(inspection, PACKAGE), {
      state: "failed",
      reason: "these packages cannot be installed together, or a held package is in the way",
      next: /`absent` \(packages\)/,
    });
    t.equal(findVerdict(inspection, "NVIDIA driver").state, "blocked");
  });

  await t.test("the branch is changed where the old one is said to be absent", async (t) => {
    const packages = { "nvidia-driver-550": "absent" };
    const keys = { ...KEYS, packages, nvidia: { driver: 535 } };
    const other = await TestNode.open(lab.inventory({ node: keys, top: { playbooks: ["packages", "nvidia"] } }));
    t.teardown(() => other.connection.close());
    const changed = ["packages: changed", `${PACKAGE}: changed`, "loaded nvidia: needs reboot"];
    t.same(listWrong(await other.provision()), changed);
    load("535.183.01");
    t.same(listWrong(await other.verify()), []);
    const back = { ...KEYS, packages: { "nvidia-driver-535": "absent" } };
    const again = await TestNode.open(lab.inventory({ node: back, top: { playbooks: ["packages", "nvidia"] } }));
    t.teardown(() => again.connection.close());
    t.same(listWrong(await again.provision()), changed);
    load("550.163.01");
  });

  await t.test("nvidia-smi sees one card less", async (t) => {
    const more = await TestNode.open(
      lab.inventory({ node: { ...KEYS, gpus: 3 }, top: { playbooks: ["packages", "nvidia"] } }),
    );
    t.teardown(() => more.connection.close());
    t.same(findVerdict(await more.verify(), "NVIDIA driver").differences, [
      { what: "GPUs that nvidia-smi sees", have: "2", want: "3" },
    ]);
  });
});
