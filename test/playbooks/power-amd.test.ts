import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { AmdDriver } from "../lab/amddriver.js";
import { deviceFolder, pciAddress } from "../lab/fakegpus.js";
import { shareLab } from "../lab/sharedlab.js";
import { listStates, runVerb, type VerbResult } from "./runverb.js";

const CARDS = 3;
const { skip, lab, nodes } = await shareLab(t, { nodes: ["rig"], gpus: CARDS }, "a machine of its own");
const [FIRST, SECOND, THIRD] = [0, 1, 2].map(pciAddress);
const node = nodes[0]!;
const CAP = "hwmon/hwmon3/power1_cap";
const OVERDRIVE = "pp_od_clk_voltage";
const LEVEL = "power_dpm_force_performance_level";

const path = (index: number, file: string) => join(node.root, deviceFolder(index), file);
const get = (index: number, file: string) => readFileSync(path(index, file), "utf8").trim();
const put = (index: number, file: string, text: string) => {
  mkdirSync(dirname(path(index, file)), { recursive: true });
  writeFileSync(path(index, file), `${text}\n`);
};
const caps = () => [0, 1, 2].map((index) => Number(get(index, CAP)) / 1e6);

/** Sets all cards to what they are at boot. */
function resetCards(): void {
  for (let index = 0; index < CARDS; index++)
    for (const file of ["hwmon", "power", OVERDRIVE]) rmSync(path(index, file), { recursive: true, force: true });
  node.setGpus({ absent: [], sick: [] });
}

const inventoryOf = (keys: Record<string, unknown>) => lab.inventory({ node: keys, top: { playbooks: ["power"] } });
const verb = (keys: Record<string, unknown>, ...words: string[]) => runVerb(inventoryOf(keys), words);

/** The differences of the only resource, as `what: have -> want`. */
function differences(answer: VerbResult): string[] {
  return answer.nodes[0]!.resources[0]!.differences.map(({ what, have, want }) => `${what}: ${have} -> ${want}`);
}

t.test("a power limit is compared with tolerance, set, and seen to be right", { skip }, async (t) => {
  const want = { power: "90W" };
  const drift = await verb(want, "verify");
  t.equal(drift.code, 2, drift.err);
  t.same(
    differences(drift),
    [FIRST, SECOND, THIRD].map((pci) => `GPU ${pci} power: 100 W -> 90 W`),
  );
  t.equal((await verb(want, "provision", "--check")).code, 2);
  t.same(caps(), [100, 100, 100], "neither changes anything");
  put(1, CAP, "89500000");
  const done = await verb(want, "provision");
  t.equal(done.code, 0, done.err);
  t.same(listStates(done), { "gpu settings": "changed" });
  t.same(caps(), [90, 89.5, 90], "a card within the tolerance is left as it is");
  t.same(listStates(await verb(want, "provision")), { "gpu settings": "ok" });
});

t.test("what is not declared is neither compared nor changed", { skip }, async (t) => {
  put(0, "hwmon/hwmon3/pwm1_enable", "0");
  rmSync(path(1, OVERDRIVE));
  t.equal((await verb({ power: "90W" }, "verify")).code, 0);
  resetCards();
  t.same((await verb({}, "verify", "power")).nodes[0]!.resources, [], "no settings, no resource");
});

t.test("clocks, the level that they need, and fans; the card is not sick", { skip }, async (t) => {
  const driver = new AmdDriver(node, CARDS);
  t.teardown(() => driver.stop());
  t.teardown(resetCards);
  const want = { clocks: { sclk: [600, 2200], mclk: "max" }, fan: "60%" };
  t.same(differences(await verb(want, "verify")).slice(0, 4), [
    `GPU ${FIRST} perf: auto -> manual`,
    `GPU ${FIRST} sclk: 500 to 2750 MHz -> 600 to 2200 MHz`,
    `GPU ${FIRST} mclk: 96 MHz -> max, 875 MHz`,
    `GPU ${FIRST} fan: auto -> 60%`,
  ]);
  const done = await verb(want, "provision");
  t.equal(done.code, 0, JSON.stringify(done.nodes));
  t.same(driver.commands, Array(CARDS).fill(["s 0 600", "s 1 2200", "c"]).flat());
  for (const [file, text] of [
    [LEVEL, "manual"],
    ["pp_dpm_mclk", "0: 96Mhz\n1: 875Mhz *"],
    ["hwmon/hwmon3/pwm1_enable", "1"],
    ["hwmon/hwmon3/pwm1", "153"],
  ] as const)
    t.equal(get(2, file), text, file);
  t.match(get(2, OVERDRIVE), /^OD_SCLK:\n0: 600Mhz\n1: 2200Mhz\n/);
  const both = await verb(want, "verify", "power", "gpu");
  t.same(listStates(both), { "gpu settings": "ok", gpus: "ok" }, "perf manual is no sickness");
  put(1, LEVEL, "auto");
  t.same(differences(await verb(want, "verify")), [`GPU ${SECOND} perf: auto -> manual`]);
  t.same(listStates(await verb(want, "provision")), { "gpu settings": "changed" });
});

t.test("a core clock at its highest level may fall where the card is short of power", { skip }, async (t) => {
  const driver = new AmdDriver(node, CARDS);
  t.teardown(() => driver.stop());
  t.teardown(resetCards);
  const want = { clocks: { sclk: "max" } };
  t.same(listStates(await verb(want, "provision")), { "gpu settings": "changed" });
  t.equal(get(0, "pp_dpm_sclk"), "0: 500Mhz\n1: 700Mhz\n2: 2750Mhz *");
  put(0, "pp_dpm_sclk", "0: 500Mhz\n1: 1850Mhz *\n2: 2750Mhz");
  t.equal((await verb(want, "verify")).code, 0);
  t.same(
    differences(await verb({ clocks: { sclk: [500, 2750] } }, "verify"))[0],
    `GPU ${FIRST} sclk: max -> 500 to 2750 MHz`,
  );
  put(0, LEVEL, "auto");
  t.same(differences(await verb(want, "verify")), [`GPU ${FIRST} perf: auto -> manual`]);
});

t.test("what a driver takes but does not do is no success", { skip }, async (t) => {
  t.teardown(resetCards);
  const done = await verb({ clocks: { mclk: "max" } }, "provision");
  t.equal(done.code, 3);
  t.match(done.nodes[0]!.resources[0], {
    state: "failed",
    reason: `it was changed but still differs: GPU ${FIRST} mclk: unknown`,
  });
});

t.test("a performance level that was chosen is no sickness", { skip }, async (t) => {
  for (const perf of ["high", "low", "manual"]) {
    t.same(listStates(await verb({ perf }, "provision", "power", "gpu")), { "gpu settings": "changed", gpus: "ok" });
    t.equal(get(0, LEVEL), perf);
  }
  const ran = await verb({ perf: "auto" }, "provision", "power");
  t.same(listStates(ran), { "gpu settings": "changed" });
});

t.test("what a card does not take is refused before anything is changed", { skip }, async (t) => {
  t.teardown(resetCards);
  put(2, "hwmon/hwmon3/power1_cap_max", "95000000");
  const beyond = await verb({ power: "98W" }, "provision");
  t.equal(beyond.code, 3);
  t.match(beyond.nodes[0]!.resources[0], {
    state: "failed",
    reason: `GPU ${THIRD}: power cannot be 98 W: the card takes 60 W to 95 W. No setting was changed`,
    next: /Correct the settings/,
  });
  t.same(caps(), [100, 100, 100], "not on the cards that could take it, either");
  const drift = differences(await verb({ power: "98W" }, "verify"));
  t.equal(drift.at(-1), `GPU ${THIRD} power: 100 W (the card takes 60 W to 95 W) -> 98 W`);
  const low = await verb({ power: "1W", perf: "high" }, "provision");
  t.match(
    low.nodes[0]!.resources[0]!.reason,
    `GPU ${FIRST}, ${SECOND}: power cannot be 1 W: the card takes 60 W to 120 W; GPU ${THIRD}: power cannot be 1 W`,
  );
  t.equal(get(0, LEVEL), "auto");
  const clocks = await verb({ clocks: { sclk: [500, 2900] }, power: "90W" }, "provision");
  t.match(clocks.nodes[0]!.resources[0]!.reason, /sclk cannot be 500 to 2900 MHz: the card takes 500 to 2800 MHz/);
  rmSync(path(0, OVERDRIVE));
  const mask = join(node.root, "sys/module/amdgpu/parameters/ppfeaturemask");
  writeFileSync(mask, "0xffff3fff\n");
  t.teardown(() => writeFileSync(mask, "0xffff7fff\n"));
  const locked = await verb({ clocks: { sclk: [500, 2200] }, power: "90W" }, "provision");
  t.match(
    locked.nodes[0]!.resources[0]!.reason,
    `GPU ${FIRST}: sclk cannot be 500 to 2200 MHz: its driver has no pp_od_clk_voltage: amdgpu.ppfeaturemask lacks the overdrive bit, so set it to "0xffff7fff"`,
  );
  t.same(caps(), [100, 100, 100]);
});

t.test("a card that the node has lost is noted, and the others are set", { skip }, async (t) => {
  t.teardown(resetCards);
  node.setGpus({ absent: [1] });
  const pci = [0, 1, 2].map(pciAddress);
  const listed = await verb({ power: "80W", pci }, "provision");
  t.equal(listed.code, 0, listed.err);
  t.match(listed.nodes[0]!.resources[0], {
    state: "changed",
    notes: [`GPU ${SECOND} is not on the PCI bus, so its settings are not compared`],
  });
  const counted = await verb({ power: "80W" }, "verify");
  t.match(counted.nodes[0]!.resources[0], {
    state: "ok",
    notes: ["2 of 3 GPUs were found; the settings of the others are not compared"],
  });
  t.same(caps(), [80, 100, 80]);
  node.setGpus({ absent: [0, 1, 2] });
  const none = await verb({ power: "80W" }, "verify");
  t.same([none.code, ...differences(none)], [2, "GPUs of amd: none can be used -> 3"]);
});

t.test("a card whose driver hangs holds no other card up", { skip }, async (t) => {
  t.teardown(resetCards);
  rmSync(path(1, CAP));
  execFileSync("mkfifo", [path(1, CAP)]);
  const drift = await verb({ power: "85W" }, "verify");
  t.ok(differences(drift).includes(`GPU ${SECOND} power: cannot be read: no answer within 10 s; killed -> 85 W`));
  const done = await verb({ power: "85W" }, "provision");
  t.equal(done.code, 3);
  t.match(done.nodes[0]!.resources[0], {
    state: "failed",
    reason: `GPU ${SECOND}: write "85000000" to hwmon/power1_cap: no answer within 10 s; killed`,
    next: /dmesg/,
  });
  t.same([get(0, CAP), get(2, CAP)], ["85000000", "85000000"]);
  t.same(await node.quiet(20), [], "nothing of it continues");
});

t.test("a sleeping card that cannot be woken is noted", { skip }, async (t) => {
  t.teardown(resetCards);
  for (const index of [0, 1, 2]) put(index, "power/runtime_status", index === 1 ? "suspended" : "active");
  const done = await verb({ power: "75W" }, "provision");
  t.match(done.nodes[0]!.resources[0], {
    state: "changed",
    notes: [`GPU ${SECOND} sleeps (power/runtime_status: suspended), so its settings are not compared`],
  });
  t.same(caps(), [75, 100, 75]);
});

t.test("a sleeping card is woken, then set", { skip }, async (t) => {
  t.teardown(resetCards);
  put(1, "power/runtime_status", "suspended");
  mkdirSync(path(1, "drm/renderD129"), { recursive: true });
  await node.exec(["sh", "-c", "mkdir -p /dev/dri && mkfifo /dev/dri/renderD129"]);
  // A driver in a line: it resumes the GPU when its render node is opened, which returns once the GPU has resumed.
  const fifo = join(node.root, "dev/dri/renderD129");
  const driver = promisify(execFile)("sh", ["-c", `: >"$0"`, fifo], { timeout: 60_000 }).then(() =>
    put(1, "power/runtime_status", "active"),
  );
  const done = await verb({ power: "75W" }, "provision");
  await driver;
  t.match(done.nodes[0]!.resources[0], { state: "changed", notes: [] });
  t.same(caps(), [75, 75, 75]);
});

t.test("files that hold anything are drift, never a crash", { skip }, async (t) => {
  t.teardown(resetCards);
  const files = [CAP, `${CAP}_min`, `${CAP}_max`, LEVEL, OVERDRIVE, "pp_dpm_mclk", "hwmon/hwmon3/pwm1_enable"];
  for (const text of ["", "\u001b[31m9e99", "-1", "9".repeat(70_000), "OD_SCLK:\n0: 99999999999Mhz", "\0"]) {
    for (const file of files) put(0, file, text);
    const found = await verb({ power: "90W", clocks: { sclk: [500, 2200], mclk: "max" }, fan: "auto" }, "verify");
    t.equal(found.code, 2, found.err);
    t.equal(listStates(found)["gpu settings"], "drift");
    for (const line of differences(found)) t.ok(line.length < 200, line.slice(0, 300));
  }
});

t.test("settings are lost at boot, and --if-rebooted restores them", { skip }, async (t) => {
  const inventory = inventoryOf({ power: "70W" });
  t.equal((await runVerb(inventory, ["provision"])).code, 0);
  await node.powerCycle();
  t.same(caps(), [100, 100, 100]);
  const restored = await runVerb(inventory, ["provision", "--if-rebooted"]);
  t.same(listStates(restored), { "gpu settings": "changed" });
  t.same(caps(), [70, 70, 70]);
  t.match((await runVerb(inventory, ["provision", "--if-rebooted"])).nodes[0], { state: "skipped" });
});
