import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startMuster, waitForExit } from "../cli/startmuster.js";
import { findProgram } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { gatedJob, openGate } from "../lib/gatedjob.js";
import { PackageRepo, type TestPackage } from "./packagerepo.js";
import { type Spoil, spoilAndMend } from "./spoil.js";
import { findVerdict, listWrong, TestNode } from "./testnode.js";

const { skip: noLab, lab, nodes, shop } = await shareLab(t, { nodes: ["rig"], gpus: 2 }, "packages of its own");
const lacking = ["apt-get", "dpkg-deb", "gpg"].filter((name) => findProgram(name) === undefined);
const skip = noLab || (lacking.length > 0 && `needs ${lacking.join(", ")}`);
const node = nodes[0]!;

/** So that nothing but the test's own sources is asked, and this user may open the device of the driver. */
const PREPARE = `rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*
: >/dev/kfd; chmod 666 /dev/kfd`;
/** What AMD's repositories say. */
const ORIGIN = "repo.radeon.com";
const REPOSITORY = "srv/amd";
const VERSIONS = { "6.4.1": "6.4.1.60401-83~24.04", "6.4.3": "6.4.3.60403-128~24.04" };

/** Stands for AMD's rocminfo, which sees as many GPUs as a file says, and for the file with the release. */
function rocmPackages(release: keyof typeof VERSIONS): TestPackage[] {
  const version = VERSIONS[release];
  const files = {
    "opt/rocm/.info/version": `${version.split(".").slice(0, 3).join(".")}-${version.split("-")[1]}\n`,
    "opt/rocm/bin/rocminfo": `#!/bin/sh
echo "ROCk module is loaded"
echo "  Device Type:             CPU"
for n in $(seq "$(cat /srv/cards 2>/dev/null || echo 2)"); do echo "  Device Type:             GPU"; done
`,
  };
  return [
    { name: "rocm", version, fields: [`Depends: rocm-core (= ${version})`] },
    { name: "rocm-core", version, files },
  ];
}

const rocm = { release: "6.4.3", suite: "./", key: "key.asc", repository: `file:///${REPOSITORY}/`, fingerprint: "" };
const openNode = (keys: Record<string, unknown> = {}) =>
  TestNode.open(lab.inventory({ node: { rocm: { ...rocm, ...keys } }, top: { playbooks: ["rocm"] } }));

const spoils: Spoil[] = [
  {
    name: "an older release",
    script: `apt-get install -y --allow-downgrades --allow-change-held-packages /${REPOSITORY}/rocm/apt/6.4.1/*.deb; apt-mark hold rocm`,
    resource: "packages of rocm",
    also: ["ROCm"],
    says: /^package rocm: 6\.4\.1\.60401-83~24\.04 \/ 6\.4\.3\.60403-128~24\.04$/,
  },
  {
    name: "not held",
    script: "apt-mark unhold rocm",
    resource: "packages of rocm",
    says: /^package rocm: .*, not held \/ .*, held$/,
  },
  {
    name: "a source that somebody has edited",
    script: "echo 'Enabled: yes' >>/etc/apt/sources.list.d/muster-rocm.sources",
    resource: "package source rocm",
    says: /^\/etc\/apt\/sources\.list\.d\/muster-rocm\.sources: content/,
  },
];

t.test("a release of ROCm, from a repository of packages that stand for AMD's", { skip }, async (t) => {
  await node.exec(["sh", "-ec", PREPARE]);
  const at = (release: string) => join(node.root, REPOSITORY, "rocm/apt", release);
  const repo = new PackageRepo(at("6.4.3"), join(lab.folder, "key.asc"), rocmPackages("6.4.3"), ORIGIN);
  t.teardown(() => repo.remove());
  repo.write(rocmPackages("6.4.1"), at("6.4.1"));
  rocm.fingerprint = repo.fingerprint;
  const bench = await openNode();
  t.teardown(() => bench.connection.close());
  t.same(listWrong(await bench.verify()), [
    "package source rocm: drift",
    "preference of AMD's packages: drift",
    "packages of rocm: drift",
    "ROCm: drift",
  ]);
  const made = await bench.provision();
  t.same(listWrong(made).slice(-1), ["packages of rocm: changed"], "and rocminfo sees the cards");
  t.same(listWrong(await bench.provision()), [], "a second provision changes nothing");

  for (const spoil of spoils)
    await t.test(spoil.name, async (t) => {
      await spoilAndMend(t, bench, node, spoil);
    });

  await t.test("a release goes back", async (t) => {
    const older = await openNode({ release: "6.4.1" });
    t.teardown(() => older.connection.close());
    const changed = listWrong(await older.provision());
    t.same(changed, ["package source rocm: changed", "packages of rocm: changed"]);
    t.same(listWrong(await older.verify()), []);
    t.same(listWrong(await bench.provision()), changed, "and forth");
  });

  await t.test("a card that rocminfo does not see", async (t) => {
    writeFileSync(join(node.root, "srv/cards"), "1");
    const { state, differences } = findVerdict(await bench.provision(), "ROCm");
    t.equal(state, "drift");
    t.same(differences, [{ what: "GPUs that rocminfo sees", have: "1", want: "2 or more" }]);
    writeFileSync(join(node.root, "srv/cards"), "2");
  });

  await t.test("a key that is another one, or not there, is named as the inventory does", async (t) => {
    const fails = async (change: Record<string, string>, reason: RegExp) => {
      const wrong = await openNode(change);
      t.match((await wrong.verify()).verdicts[0]!.reason, reason);
      await wrong.connection.close();
    };
    await fails({ fingerprint: "0".repeat(40) }, /^rocm\.key: the key has the fingerprint [0-9A-F]{40}, not 0{40}$/);
    await fails({ key: "nokey" }, /^rocm\.key: .*no such file/);
  });

  await t.test("a package that the release does not have", async (t) => {
    const wrong = await openNode({ packages: ["rocm", "rocm-x"] });
    t.teardown(() => wrong.connection.close());
    const inspection = await wrong.provision();
    t.match(findVerdict(inspection, "packages of rocm"), {
      state: "failed",
      reason: `file:/${REPOSITORY}/rocm/apt/6.4.3 has no package rocm-x for this node`,
      next: /apt-cache madison rocm-x/,
    });
    t.equal(findVerdict(inspection, "ROCm").state, "blocked");
  });

  await t.test("a driver that is installed, and not the loaded one, needs a reboot", async (t) => {
    const module = join(node.root, "sys/module/amdgpu");
    mkdirSync(module, { recursive: true });
    writeFileSync(join(module, "srcversion"), "AAAA\n");
    writeFileSync(join(module, "version"), "6.10.5\n");
    const modinfo = `#!/bin/sh\ncase $2 in srcversion) echo BBBB;; version) echo 6.12.12;; filename) echo /lib/amdgpu.ko;; esac\n`;
    writeFileSync(join(node.root, "usr/sbin/modinfo"), modinfo, { mode: 0o755 });
    const { state, differences } = findVerdict(await bench.provision(), "loaded amdgpu");
    t.equal(state, "needs reboot");
    t.same(differences, [{ what: "module amdgpu", have: "6.10.5 is loaded", want: "6.12.12" }]);
    writeFileSync(join(module, "srcversion"), "BBBB\n");
    t.same(listWrong(await bench.verify()), []);
  });
});

t.test("a release is changed when no chunk runs on the node any more", { skip }, async (t) => {
  const inventory = lab.inventory({ node: { rocm: { ...rocm, release: "6.4.1" } }, top: { playbooks: ["rocm"] } });
  const job = shop.write("gated.yaml", { ...gatedJob("gated", { a: "one" }) });
  const run = waitForExit(startMuster(["run", job, "-i", inventory, "--out", join(shop.folder, "gated")]));
  const isRunning = async () => (await node.exec(["sh", "-c", "pgrep -f /var/tmp/[g]ates || true"])).stdout !== "";
  await waitUntil("the chunk runs", isRunning);
  const busy = await waitForExit(startMuster(["provision", "--idle-wait", "1s", "-i", inventory, "--json"]));
  t.equal(busy.code, 3, busy.err);
  const { resources } = (JSON.parse(busy.out) as { nodes: [{ resources: Record<string, unknown>[] }] }).nodes[0];
  t.match(
    resources.find(({ resource }) => resource === "packages of rocm"),
    { state: "blocked", reason: /^it is only changed while nothing computes on the node: run gated\S* is on it$/ },
  );
  const waiting = startMuster(["provision", "-i", inventory]);
  let said = "";
  waiting.stderr!.on("data", (bytes) => {
    said += bytes;
  });
  const ended = waitForExit(waiting);
  await waitUntil("it waits", () => said.includes("packages of rocm is not changed yet: run gated"));
  openGate(nodes, "one");
  const done = await ended;
  t.equal(done.code, 0, done.err + done.out);
  t.match(done.err, /^rig: drained to change packages of rocm$/m);
  t.equal((await run).code, 0, "the chunk was not disturbed");
  const drains = await waitForExit(startMuster(["nodes", "-i", inventory]));
  t.notMatch(drains.out + drains.err, /drained/);
});
