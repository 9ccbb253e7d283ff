import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { changeDrains, readDrains } from "../../fleet/drains.js";
import { openHealStore, readHealRecords } from "../../fleet/healing/healfile.js";
import type { LabNode } from "../lab/lab.js";
import { PowerSwitch } from "../lab/powerswitch.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

t.setTimeout(600_000);
const options = { nodes: 4, gpus: 2 };
const { skip, lab, nodes, shop } = await shareLab(t, options, "power-cycling nodes");
const power = skip === false ? new PowerSwitch(nodes, lab.folder) : undefined;
t.teardown(() => power?.stop());
const [first, second] = nodes as [LabNode, LabNode];
const sshConfig = shop.write("ssh_config", "Host *\n  ConnectTimeout 2\n");
const told = join(shop.folder, "told.ndjson");
shop.write("ramdisk.txt", "survivors");

/** Writes an inventory whose nodes are healed within seconds, and forgets earlier healings. */
function prepare(heal: Record<string, unknown> = {}, node: Record<string, unknown> = { power_cycle: power!.command }) {
  for (const name of [".muster-heal.json", ".muster-drain.json"]) rmSync(join(lab.folder, name), { force: true });
  rmSync(told, { force: true });
  power!.cycles.length = 0;
  const quick = { after: "500ms", pause: "500ms", wait: "40s", on_heal: [{ command: ["sh", "-c", `cat >>${told}`] }] };
  const top = {
    heal: { ...quick, ...heal },
    playbooks: ["ramdisk"],
    ramdisk: { "/dev/shm/prng": [join(shop.folder, "ramdisk.txt")] },
  };
  return lab.inventory({ node, top });
}

const muster = (inventory: string, ...words: string[]) =>
  runMuster(["provision", ...words, "-i", inventory], { cwd: shop.folder, env: { MUSTER_SSH_CONFIG: sshConfig } });
const drainOf = (node: LabNode) => readDrains(join(lab.folder, ".muster-drain.json"), Date.now()).get(node.name);
const recordOf = (node: LabNode) => readHealRecords(join(lab.folder, ".muster-heal.json")).get(node.name);
/** Looks twice, so that what is wrong has lasted for long enough. */
async function healTwice(inventory: string, ...words: string[]) {
  await muster(inventory, "--heal", ...words);
  await sleep(600);
  return muster(inventory, "--heal", ...words);
}

t.test("a node that stays away is power-cycled, provisioned and given work again", { skip }, async (t) => {
  const inventory = prepare();
  t.match(await muster(inventory, "--heal"), { code: 0 }, "all are well");
  await first.cutOff();
  const { bootId } = first;
  const seen = await muster(inventory, "--heal");
  t.equal(seen.code, 3, "it cannot be provisioned");
  t.match(seen.err, new RegExp(`^${first.name}: not yet \\(away: .*\\): it is healed from .* on$`, "m"));
  await sleep(600);
  const plan = await muster(inventory, "--heal", "--plan");
  t.match(plan, { code: 0, out: new RegExp(`^${first.name}: power-cycle \\(away: .*\\)\n$`) });
  t.same(power!.cycles, [], "a plan does nothing");
  const healed = await muster(inventory, "--heal", "--json", "--metrics", join(shop.folder, "heal.prom"));
  t.equal(healed.code, 0, healed.err);
  t.same(power!.cycles, [{ node: first.name, by: "switch" }]);
  t.not(first.bootId, bootId);
  const { healing } = JSON.parse(healed.out);
  const steps = ["drained", "power-cycled", "answered", "provisioned", "healed"];
  t.same(
    healing.steps.map((one: { step: string }) => one.step),
    steps,
  );
  t.equal(readFileSync(join(first.root, "dev/shm/prng/ramdisk.txt"), "utf8"), "survivors");
  t.equal(drainOf(first), undefined);
  t.match(recordOf(first), { unwell: undefined, healings: [{ action: "power-cycle", outcome: "healed" }] });
  const events = readFileSync(told, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.match(events, [
    { occasion: "on_heal", node: first.name, step: "power-cycled" },
    { node: first.name, step: "healed", text: /^is healed after \d+ s, and gets work again$/ },
  ]);
  t.match(shop.read("heal.prom"), `muster_node_healings{node="${first.name}",outcome="healed"} 1\n`);
});

t.test(
  "a sick card: the node is rebooted; fewer cards afterwards: power-cycled, then given up",
  { skip },
  async (t) => {
    const inventory = prepare({ most: "3/day", pause: "100ms" });
    first.setGpus({ sick: [1] });
    power!.onOff = (node) => node.setGpus({ sick: [] });
    const healed = await healTwice(inventory);
    t.equal(healed.code, 0, healed.err);
    t.match(healed.err, /: sick: GPU 0000:06:00\.0: .*; drained to reboot it$/m);
    t.same(power!.cycles, [{ node: first.name, by: "reboot" }]);
    t.equal(drainOf(first), undefined);

    first.setGpus({ sick: [1] });
    power!.onOff = (node) => node.setGpus({ sick: [], absent: [1] });
    const worse = await healTwice(inventory);
    t.equal(worse.code, 3);
    const failure = /healing failed after \d+ s: GPU (1|0000:06:00\.0)/;
    t.match(worse.err, failure);
    t.match(drainOf(first), { healing: true, reason: /^healing failed: GPU/ });
    await sleep(300);
    const again = await muster(inventory, "--heal");
    t.match(again, { code: 3, err: failure });
    t.same(
      power!.cycles.map(({ by }) => by),
      ["reboot", "reboot", "switch"],
      "the second time it is power-cycled",
    );
    const last = await muster(inventory, "--heal", "-q");
    t.match(last, { code: 3, err: /it was healed 3 times within 24 hours, and needs it again: it stays drained/ });
    t.match(drainOf(first), { healing: undefined, reason: /^it was healed 3 times .*: sick: GPU/ });
    t.match((await muster(inventory, "--heal")).err, /not healed \(sick: .*\): it is drained \(it was healed 3 times/);
    t.equal(power!.cycles.length, 3);
    first.setGpus({ absent: [] });
  },
);

t.test(
  "a command that fails or hangs; a drain that healing has begun ends when the node is well",
  { skip },
  async (t) => {
    const failing = prepare({}, { power_cycle: ["sh", "-c", "echo no such plug >&2; exit 5"] });
    await first.cutOff();
    const failed = await healTwice(failing);
    t.match(failed, {
      code: 3,
      err: /healing failed after \d+ s: power_cycle \(sh\): it ended with exit 5: no such plug$/m,
    });
    t.match(recordOf(first), { healings: [{ outcome: "failed" }] });
    t.match(drainOf(first), { healing: true });
    await first.heal();
    const well = await muster(failing, "--heal");
    t.match(well, { code: 0, err: new RegExp(`^${first.name}: is well again, and gets work$`, "m") });
    t.equal(drainOf(first), undefined);

    const hanging = prepare({ timeout: "1s" }, { power_cycle: ["sleep", "600"] });
    await first.cutOff();
    t.match(await healTwice(hanging), { code: 3, err: /power_cycle \(sleep\): it ran longer than 1 s/ });
    const useless = prepare({ wait: "3s" }, { power_cycle: ["true"] });
    t.match(await healTwice(useless), {
      code: 3,
      err: /healing failed after \d+ s: it did not come back within 3 s: /,
    });
    await first.heal();
  },
);

for (const [signal, code, outcome] of [
  ["SIGKILL", null, undefined],
  ["SIGINT", 130, "failed"],
] as const)
  t.test(`a muster that ends by ${signal} while it heals: what it has done is not forgotten`, { skip }, async (t) => {
    const inventory = prepare({ wait: "60s" }, { power_cycle: ["true"] });
    await first.cutOff();
    await muster(inventory, "--heal");
    await sleep(600);
    const child = startMuster(["provision", "--heal", "-i", inventory], { env: { MUSTER_SSH_CONFIG: sshConfig } });
    const ended = waitForExit(child);
    await waitUntil("it is written down", () => (recordOf(first)?.healings.length ?? 0) > 0);
    t.match(drainOf(first), { healing: true });
    child.kill(signal);
    t.equal((await ended).code, code);
    t.match(recordOf(first), { healings: [{ action: "power-cycle", outcome }] });
    await first.heal();
    t.match(await muster(inventory, "--heal"), { code: 0, err: /is well again, and gets work$/m });
    t.equal(drainOf(first), undefined);
    t.equal(recordOf(first)?.healings.length, 1, "it counts");
  });

t.test("it is called off where others use the node, and left where somebody has drained it", { skip }, async (t) => {
  const inventory = prepare();
  first.setGpus({ sick: [0] });
  const shell = spawn("ssh", ["-tt", ...lab.sshWords(first), "sleep 600"], { stdio: ["pipe", "ignore", "ignore"] });
  await waitUntil("somebody is logged in", () => first.processes().some(({ argv }) => argv.join(" ") === "sleep 600"));
  const busy = await healTwice(inventory);
  t.match(busy.err, new RegExp(`^${first.name}: not yet \\(sick: .*\\): user root on pts/\\d+ is logged in$`, "m"));
  shell.kill();
  await waitUntil("nobody is logged in", () => !first.processes().some(({ argv }) => argv.join(" ") === "sleep 600"));
  await changeDrains(inventory, Date.now(), (before) =>
    new Map(before).set(first.name, { since: new Date().toISOString(), reason: "new fans" }),
  );
  t.match((await muster(inventory, "--heal")).err, /not healed \(sick: .*\): it is drained \(new fans\)/);
  t.same(power!.cycles, []);
  first.setGpus({ sick: [] });
});

t.test("half of the fleet is away: nothing is touched", { skip }, async (t) => {
  const inventory = prepare();
  await Promise.all([first.cutOff(), second.cutOff()]);
  const { err } = await healTwice(inventory);
  t.match(err, /2 of 4 machines vanished within a minute: it may be our own network/);
  t.same(power!.cycles, []);
  await Promise.all([first.heal(), second.heal()]);
});

t.test("one muster at a time; wrong usage", { skip }, async (t) => {
  const inventory = prepare();
  const store = openHealStore(inventory)!;
  t.match(await muster(inventory, "--heal"), { code: 75, err: /another muster heals the nodes of/ });
  store.close();
  t.match(await muster(inventory, "--heal", "--check"), { code: 64 });
  t.match(await muster(inventory, "--plan"), { code: 64, err: /go with --heal/ });
  const plain = lab.inventory({ file: "plain.yaml" });
  t.match(await muster(plain, "--heal"), { code: 64, err: /the inventory has no `heal`/ });
});
