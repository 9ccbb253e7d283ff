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
  "usr/local/bin/modinfo": `#!/bin/sh\ncase $2 in version | srcversion) echo ${version};; filename) echo /lib/nvidia.ko;; esac\n`,
});
const PACKAGES: TestPackage[] = ["550.163.01", "535.183.01"].flatMap((version) => {
  const branch = version.split(".")[0];
  const fields = ["Provides: libnvidia-compute", "Conflicts: libnvidia-compute"];
  return [
    {
      name: `nvidia-driver-${branch}`,
      version: `${version}-0ubuntu1`,
      files: modinfo(version),
      fields: [`Depends: libnvidia-compute-${branch} (= ${version}-0ubuntu1)`],
    },
    { name: `libnvidia-compute-${branch}`, version: `${version}-0ubuntu1`, fields },
  ];
});

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
    script: "dpkg -r nvidia-driver-550",
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

  await t.test("the branch is changed, and its libraries, in one transaction", async (t) => {
    const other = await openNode({ driver: 535 });
    t.teardown(() => other.connection.close());
    const changed = [`${PACKAGE}: changed`, "loaded nvidia: needs reboot"];
    t.same(listWrong(await other.provision()), changed);
    const installed = "dpkg-query -W -f='${db:Status-Abbrev} ${Package}\\n' '*nvidia*-[0-9]*' | grep ^.i";
    const { stdout } = await node.exec(["sh", "-c", installed]);
    t.same(stdout.match(/\S+$/gm), ["libnvidia-compute-535", "nvidia-driver-535"]);
    load("535.183.01");
    t.same(listWrong(await other.verify()), []);
    t.same(listWrong(await bench.provision()), changed, "and back");
    load("550.163.01");
  });

  await t.test("what is no package of the driver stays", async (t) => {
    const other = { name: "other", version: "1", fields: ["Depends: libnvidia-compute-550"] };
    repo.write([...PACKAGES, other]);
    await node.exec(["sh", "-c", "apt-get update && apt-get install -y other"]);
    const wanted = await openNode({ driver: 535 });
    t.teardown(() => wanted.connection.close());
    t.match(findVerdict(await wanted.provision(), PACKAGE), {
      state: "failed",
      reason: /^apt would also remove other$/,
    });
    await node.exec(["apt-get", "remove", "-y", "other"]);
  });

  await t.test("nvidia-smi sees one card less", async (t) => {
    const more = await TestNode.open(
      lab.inventory({ node: { ...KEYS, gpus: 3 }, top: { playbooks: ["packages", "nvidia"] } }),
    );
    t.teardown(() => more.connection.close());
    t.same(findVerdict(await more.verify(), "NVIDIA driver").differences, [
      { what: "GPUs that nvidia-smi sees", have: "2", want: "3 or more" },
    ]);
  });
});
