import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { pciAddress } from "../lab/fakegpus.js";
import { startLab } from "../lab/lab.js";
import { findProgram } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { listStates, runVerb, type VerbResult } from "./runverb.js";

const options = { nodes: ["zeus"], gpus: 2, vendor: "nvidia", kernel: { "nvidia.modeset": "Y" } } as const;
const { skip, lab, nodes } = await shareLab(t, { ...options, nodes: [...options.nodes] }, "a machine of its own");
const [FIRST, SECOND] = [0, 1].map(pciAddress);
const node = nodes[0]!;
const STATE = "run/fake-nvidia";

/** The options that the tool was called with since the last time, by card. */
function takeCalls(): Record<string, string[]> {
  const log = join(node.root, STATE, "log");
  const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  rmSync(log, { force: true });
  const calls: Record<string, string[]> = {};
  for (const [pci, ...words] of lines.map((line) => line.split(" "))) {
    const own = calls[pci!] ?? [];
    calls[pci!] = [...own, words.join(" ")];
  }
  return calls;
}

/** Unloads the driver and loads it again: it forgets everything. */
function reloadDriver(): void {
  for (const folder of [STATE, "sys/module/nvidia"]) rmSync(join(node.root, folder), { recursive: true, force: true });
  mkdirSync(join(node.root, "sys/module/nvidia"));
}

const inventoryOf = (keys: Record<string, unknown>) => lab.inventory({ node: keys, top: { playbooks: ["power"] } });
const verb = (keys: Record<string, unknown>, ...words: string[]) => runVerb(inventoryOf(keys), words);

function differences(answer: VerbResult): string[] {
  return answer.nodes[0]!.resources[0]!.differences.map(({ what, have, want }) => `${what}: ${have} -> ${want}`);
}

const ALL = {
  power: "280W",
  persistence: "on",
  compute_mode: "exclusive_process",
  clocks: { sclk: [210, 1500], mclk: "max" },
};

t.test("all settings are compared, and set in an order that keeps them", { skip }, async (t) => {
  t.same(differences(await verb(ALL, "verify")).slice(0, 5), [
    `GPU ${FIRST} persistence: off -> on`,
    `GPU ${FIRST} power: 350 W -> 280 W`,
    `GPU ${FIRST} sclk: not set since the driver was loaded -> 210 to 1500 MHz`,
    `GPU ${FIRST} mclk: not set since the driver was loaded -> 9501 to 9501 MHz`,
    `GPU ${FIRST} compute_mode: default -> exclusive_process`,
  ]);
  t.same(takeCalls(), {}, "verify sets nothing");
  const done = await verb(ALL, "provision");
  t.equal(done.code, 0, JSON.stringify(done.nodes));
  const calls = ["-pm 1", "-pl 280", "-lgc 210,1500", "-lmc 9501,9501", "-c EXCLUSIVE_PROCESS"];
  t.same(takeCalls(), { [FIRST!]: calls, [SECOND!]: calls });
  t.same(listStates(await verb(ALL, "provision")), { "gpu settings": "ok" });
  t.same(takeCalls(), {}, "a second time nothing is set");
  t.equal((await verb(ALL, "verify", "gpu")).code, 0);
});

t.test("only what differs is set", { skip }, async (t) => {
  const done = await verb({ ...ALL, power: "300.5W" }, "provision");
  t.same(listStates(done), { "gpu settings": "changed" });
  t.same(takeCalls(), { [FIRST!]: ["-pl 300.5"], [SECOND!]: ["-pl 300.5"] });
  t.equal((await verb({ ...ALL, power: "301W" }, "verify")).code, 0, "within the tolerance");
});

t.test("a clock that runs above its lock shows that somebody else has unlocked it", { skip }, async (t) => {
  const file = join(node.root, STATE, SECOND!);
  const settings = readFileSync(file, "utf8");
  writeFileSync(file, settings.replace('"clocks.gr": "210"', '"clocks.gr": "1890"'));
  t.teardown(() => writeFileSync(file, settings));
  t.same(differences(await verb({ ...ALL, power: "301W" }, "verify")), [
    `GPU ${SECOND} sclk: 1890 MHz -> 210 to 1500 MHz`,
  ]);
});

t.test("a driver that was loaded again has forgotten the clocks", { skip }, async (t) => {
  reloadDriver();
  t.ok(differences(await verb(ALL, "verify")).some((line) => /sclk: not set since the driver was loaded/.test(line)));
  t.same(listStates(await verb(ALL, "provision")), { "gpu settings": "changed" });
});

t.test("what a card does not take is refused before anything is changed", { skip }, async (t) => {
  reloadDriver();
  const beyond = await verb({ ...ALL, power: "450W" }, "provision");
  t.equal(beyond.code, 3);
  t.match(beyond.nodes[0]!.resources[0], {
    state: "failed",
    reason: `GPU ${FIRST}, ${SECOND}: power cannot be 450 W: the card takes 100 W to 400 W. No setting was changed`,
  });
  const fast = await verb({ ...ALL, clocks: { sclk: [210, 3000] } }, "provision");
  t.match(fast.nodes[0]!.resources[0]!.reason, /sclk cannot be 210 to 3000 MHz: the card takes at most 2100 MHz/);
  t.same(takeCalls(), {});
});

t.test("a power limit that the driver will forget gets a note", { skip }, async (t) => {
  const done = await verb({ power: "200W" }, "provision");
  t.equal(done.code, 0);
  t.match(done.nodes[0]!.resources[0]!.notes, [new RegExp(`GPU ${FIRST}: its persistence mode is off`), /./]);
});

t.test("a tool that hangs while it sets is killed; the error names the card and the step", { skip }, async (t) => {
  node.setGpus({ setting: "hang" });
  t.teardown(() => node.setGpus({ setting: undefined }));
  const done = await verb({ power: "210W" }, "provision");
  t.equal(done.code, 3);
  t.match(done.nodes[0], { node: "zeus" });
  t.match(done.nodes[0]!.resources[0], {
    state: "failed",
    reason: `GPU ${FIRST}, ${SECOND}: nvidia-smi -pl 210: no answer within 10 s; killed`,
    next: /dmesg/,
  });
  t.same(await node.quiet(20), [], "nothing of it continues");
});

t.test("a tool that cannot set, and says so with exit 0", { skip }, async (t) => {
  node.setGpus({ setting: "unsupported" });
  t.teardown(() => node.setGpus({ setting: undefined }));
  const done = await verb({ power: "220W" }, "provision");
  t.match(done.nodes[0]!.resources[0], {
    state: "failed",
    reason: /nvidia-smi -pl 220: Changing power management limit is not supported for GPU/,
  });
  const want = { persistence: "on", clocks: { sclk: [210, 1400] } };
  const locked = await verb(want, "provision");
  t.match(
    locked.nodes[0]!.resources[0]!.reason,
    /nvidia-smi -lgc 210,1400: Setting locked GPU clocks is not supported/,
  );
  t.match(
    differences(await verb(want, "verify"))[0],
    /sclk: not set since the driver was loaded/,
    "it is not recorded",
  );
});

t.test("a card that the driver has lost is noted, and the others are set", { skip }, async (t) => {
  reloadDriver();
  node.setGpus({ lost: [0] });
  t.teardown(() => node.setGpus({ lost: [] }));
  const done = await verb({ power: "230W", persistence: "on" }, "provision");
  t.match(done.nodes[0]!.resources[0], {
    state: "changed",
    notes: [`GPU ${FIRST} is lost by its driver, so its settings are not compared`],
  });
  t.same(takeCalls(), { [SECOND!]: ["-pm 1", "-pl 230"] });
  node.setGpus({ lost: [0, 1] });
  t.same(differences(await verb({ power: "230W" }, "verify")), ["GPUs of nvidia: none can be used -> 2"]);
});

t.test("a tool that gives no report", { skip }, async (t) => {
  t.teardown(() => node.setGpus({ tools: undefined }));
  for (const [tools, have] of [
    ["garbage", /no report: WARNING/],
    ["fail", /exit 1: ERROR:root:Driver not initialized/],
    ["hang", /no answer within 10 s; killed/],
  ] as const) {
    node.setGpus({ tools });
    const found = await verb(ALL, "verify");
    t.equal(found.code, 2);
    t.match(differences(found)[0], have, tools);
  }
});

t.test("a user other than root needs sudo to set, not to look", { skip }, async (t) => {
  const other = await startLab({ nodes: 1, gpus: 1, vendor: "nvidia", user: "rig" });
  t.teardown(() => other.stop());
  const fakeSudo = join(other.nodes[0]!.root, "usr/local/bin/sudo");
  const sudo = '#!/bin/sh\necho "sudo: a password is required" >&2\nexit 1\n';
  writeFileSync(fakeSudo, sudo, { mode: 0o755 });
  const inventory = other.inventory({ node: { power: "300W" } });
  const found = await runVerb(inventory, ["verify", "power"]);
  t.same(differences(found), [`GPU ${FIRST} power: 350 W -> 300 W`]);
  const done = await runVerb(inventory, ["provision", "power"]);
  t.equal(done.code, 3);
  t.match(done.nodes[0]!.resources[0], {
    state: "failed",
    reason: /requires root, and sudo does not allow it without a password: sudo: a password is required/,
    next: /NOPASSWD/,
  });
  const withSudo = findProgram("sudo") === undefined ? "sudo is not installed here" : false;
  await t.test("with sudo", { skip: withSudo }, async (t) => {
    rmSync(fakeSudo);
    await other.nodes[0]!.exec(["sh", "-c", "echo 'rig ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/rig"]);
    t.same(listStates(await runVerb(inventory, ["provision", "power"])), { "gpu settings": "changed" });
    t.equal((await runVerb(inventory, ["verify", "power"])).code, 0);
  });
});

t.test("cards of two vendors in one node", { skip }, async (t) => {
  const mixed = await startLab({ nodes: 1, gpus: 2, nvidia: 1 });
  t.teardown(() => mixed.stop());
  const profiles = {
    rtx3080ti: { vendor: "nvidia", power: "300W" },
    rx6600: { vendor: "amd", power: "90W", perf: "high" },
  };
  const inventory = mixed.inventory({ top: { profiles } });
  t.same(listStates(await runVerb(inventory, ["provision", "power"])), {
    "gpu settings of nvidia": "changed",
    "gpu settings of amd": "changed",
  });
  t.equal((await runVerb(inventory, ["verify", "power", "gpu"])).code, 0);
  const wrong = mixed.inventory({ top: { profiles: { ...profiles, rtx3080ti: { vendor: "nvidia", power: "99W" } } } });
  t.same(listStates(await runVerb(wrong, ["provision", "power"])), {
    "gpu settings of nvidia": "failed",
    "gpu settings of amd": "ok",
  });
});
