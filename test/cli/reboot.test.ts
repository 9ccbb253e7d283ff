import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { changeDrains, readDrains } from "../../fleet/drains.js";
import type { LabNode } from "../lab/lab.js";
import { PowerSwitch } from "../lab/powerswitch.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { gatedJob, openGate } from "../lib/gatedjob.js";
import { runVerb } from "../playbooks/runverb.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const options = { nodes: 2, gpus: 1, kernel: { "amdgpu.ppfeaturemask": "0xffffffff" } };
const { skip, lab, nodes, shop } = await shareLab(t, options, "power-cycling nodes");
const power = skip === false ? new PowerSwitch(nodes, lab.folder) : undefined;
t.teardown(() => power?.stop());
const [first, second] = nodes as [LabNode, LabNode];
const sshConfig = shop.write("ssh_config", "Host *\n  ConnectTimeout 2\n");

/** Waits for the reboot: it writes down the boot in which it ran. */
const LATER = `export default () => [{
  name: "later",
  probe: { ask: "command", argv: ["cat", "/srv/later"], timeout: 5 },
  diff: ({ stdout }) => (stdout === "" ? [{ what: "file", have: "missing", want: "there" }] : []),
  change: async (_, { $ }) => void (await $\`cat /proc/sys/kernel/random/boot_id >/srv/later\`),
}];`;

function prepare() {
  mkdirSync(join(lab.folder, "playbooks"), { recursive: true });
  writeFileSync(join(lab.folder, "playbooks/later.ts"), LATER);
  const path = shop.write("ramdisk.txt", "survivors");
  return lab.inventory({
    top: { playbooks: ["ramdisk", "kernel-params", "later"], ramdisk: { "/dev/shm/prng": [path] } },
  });
}

const UPDATE = `#!/bin/sh
mkdir -p /boot/grub && . /etc/default/grub.d/zzz-muster.cfg && echo " linux /vmlinuz $GRUB_CMDLINE_LINUX_DEFAULT" >/boot/grub/grub.cfg
`;

/** Gives a node a boot loader that does not ask for what the profile wants. */
async function unstage(node: LabNode): Promise<void> {
  rmSync(join(node.root, "etc/default/grub.d"), { recursive: true, force: true });
  rmSync(join(node.root, "srv/later"), { force: true });
  mkdirSync(join(node.root, "etc/default/grub.d"), { recursive: true });
  writeFileSync(join(node.root, "etc/default/grub.d/00-rig.cfg"), "GRUB_TIMEOUT=0\n");
  writeFileSync(join(node.root, "usr/sbin/update-grub"), UPDATE, { mode: 0o755 });
  await node.powerCycle();
}

const env = { MUSTER_SSH_CONFIG: sshConfig };
const drainOf = (node: LabNode) => readDrains(join(lab.folder, ".muster-drain.json"), Date.now()).get(node.name);
const statesOf = ({ out }: { out: string }) =>
  (JSON.parse(out) as { nodes: { state: string; reason?: string; resources: { resource: string; state: string }[] }[] })
    .nodes;

t.test("nodes that need it are rebooted one after the other, and continue where they were", { skip }, async (t) => {
  const inventory = prepare();
  for (const node of nodes) await unstage(node);
  const boots = nodes.map(({ bootId }) => bootId);
  const plain = await runVerb(inventory, ["provision", "--limit", second.name]);
  t.match(
    plain.nodes[0]!.resources.map(({ state }) => state),
    ["changed", "changed", "needs reboot", "changed"],
  );
  rmSync(join(second.root, "srv/later"));
  const done = await runMuster(["provision", "--reboot", "-i", inventory, "-v"], { env });
  t.equal(done.code, 0, done.err + done.out);
  t.same(
    power!.cycles.map(({ node, by }) => `${node} ${by}`),
    nodes.map(({ name }) => `${name} reboot`),
  );
  for (const [index, node] of nodes.entries()) {
    t.not(node.bootId, boots[index]);
    t.equal(readFileSync(join(node.root, "srv/later"), "utf8").trim(), node.bootId, "it ran after the reboot");
    t.equal(readFileSync(join(node.root, "dev/shm/prng/ramdisk.txt"), "utf8"), "survivors");
    t.equal(drainOf(node), undefined);
  }
  t.match(done.out, /2 nodes +kernel parameters +changed\n +on node1, node2\n/);
  for (const step of ["drained to reboot it: kernel parameters", "rebooted; waiting for it to answer", "answers again"])
    t.match(done.err, new RegExp(`^node1: ${step}`, "m"));
  const again = await runMuster(["provision", "--reboot", "-i", inventory], { env });
  t.match(again, { code: 0, out: /2 nodes: 8 resources ok/ });
  t.equal(power!.cycles.length, 2);
});

t.test(
  "a node that does not come back stops the rollout and stays drained; the next provision resumes it",
  { skip },
  async (t) => {
    const inventory = prepare();
    await unstage(first);
    const systemctl = join(first.root, "usr/local/bin/systemctl");
    const program = readFileSync(systemctl, "utf8");
    writeFileSync(systemctl, "#!/bin/sh\ntouch /srv/off\n");
    const child = startMuster(["provision", "--reboot", "--reboot-wait", "4s", "--json", "-i", inventory], { env });
    await waitUntil("the node is off", () => readFileIfThere(join(first.root, "srv/off")) !== undefined);
    await first.powerOff();
    const failed = await waitForExit(child);
    t.equal(failed.code, 3, failed.err);
    const [one, two] = statesOf(failed);
    t.match(one, { state: "unreachable", reason: /^node1: reboot: it did not come back within 4 s: / });
    t.match(one, { next: /Look at its screen. It stays drained.*provision --reboot --limit node1/ });
    t.equal(two!.state, "not started");
    t.match(drainOf(first), { provision: true, reason: /^provision --reboot: kernel parameters$/ });

    await first.powerOn();
    writeFileSync(join(first.root, "usr/local/bin/systemctl"), program, { mode: 0o755 });
    const mended = await runMuster(["provision", "--reboot", "--limit", first.name, "-i", inventory], { env });
    t.equal(mended.code, 0, mended.err);
    t.equal(drainOf(first), undefined, "the drain of the one before has ended");
  },
);

t.test("work on a node is waited for, also that of a run that continues", { skip }, async (t) => {
  const inventory = prepare();
  await unstage(second);
  const job = { ...gatedJob("gated", { a: "a", b: "" }), needs: { nodes: [second.name] } };
  const file = shop.write("gated.yaml", JSON.stringify(job));
  const run = startMuster(["run", file, "--out", join(shop.folder, "gated"), "-i", inventory], { env });
  const words = ["provision", "--reboot", "--limit", second.name, "-i", inventory];
  await waitUntil("the chunk runs", async () => (await second.processes()).some(({ argv }) => argv.includes("a")));
  const refused = await runMuster([...words, "--reboot-wait", "1s"], { env });
  t.equal(refused.code, 3);
  t.match(refused.out, /kernel parameters +failed\n +it is not rebooted: run \S+ is on it\n/);
  t.equal(drainOf(second), undefined);
  const interrupted = startMuster(words, { env });
  await waitUntil("it is drained", () => drainOf(second) !== undefined);
  interrupted.kill("SIGINT");
  t.equal((await waitForExit(interrupted)).code, 130);
  t.equal(drainOf(second), undefined);
  const waiting = startMuster(words, { env });
  await waitUntil("it is drained once more", () => drainOf(second) !== undefined);
  openGate([second], "a");
  const [rebooted, ran] = await Promise.all([waitForExit(waiting), waitForExit(run)]);
  t.equal(rebooted.code, 0, rebooted.err);
  t.equal(ran.code, 0, ran.err);
  t.equal(drainOf(second), undefined);
});

t.test("a node that a reboot does not help is rebooted once", { skip }, async (t) => {
  const inventory = prepare();
  const never = `export default () => [{ name: "never", probe: { ask: "file", path: "/", cap: 0 }, reboot: true,
    diff: () => [{ what: "never", have: "a", want: "b" }] }];`;
  writeFileSync(join(lab.folder, "playbooks/never.ts"), never);
  power!.cycles.length = 0;
  const provision = () =>
    runMuster(["provision", "never", "--reboot", "--limit", first.name, "-i", inventory], { env });
  const helpless = await provision();
  t.match(helpless, { code: 3, out: /it was rebooted for this, and still differs\n +next: .*muster undrain/s });
  t.match(drainOf(first), { reason: "provision --reboot did not help: never" });
  t.match(await provision(), { code: 3, out: /an earlier reboot has not helped/ });
  t.equal(power!.cycles.length, 1);
  await changeDrains(inventory, Date.now(), () => new Map());
});

t.test("wrong words are refused", async (t) => {
  for (const [words, message] of [
    [["--reboot", "--check"], /--reboot and --check exclude each other/],
    [["--reboot", "--heal"], /--reboot and --heal exclude each other/],
    [["--reboot-wait", "1m"], /--reboot-wait goes with --reboot/],
    [["--reboot", "--reboot-wait", "x"], /--reboot-wait/],
  ] as const) {
    const { code, err } = await runMuster([
      "provision",
      "ramdisk",
      "-i",
      shop.write("i.yaml", "nodes: {a: {connection: local}}\n"),
      ...words,
    ]);
    t.equal(code, 64, err);
    t.match(err, message);
  }
});

function readFileIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
