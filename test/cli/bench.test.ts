import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { loadInventory } from "../../fleet/inventory.js";
import { shareLab } from "../lab/sharedlab.js";
import { AMD_0, AMD_1, BENCH_WORKER, haveBootLimits, NVIDIA, QUICK, readNvidiaCap, writeBenchJob } from "./benchjob.js";
import { runMuster } from "./startmuster.js";

t.setTimeout(600_000);
/** Slot 0 of each node is a card of NVIDIA, slots 1 and 2 are cards of AMD. */
const { skip, shop, lab, nodes } = await shareLab(t, { nodes: ["rig1", "rig2"], gpus: 2, nvidia: 1 }, "GPUs");
t.test("a job is measured, slow and wrong cards are named, and the diff applies", { skip }, async (t) => {
  const job = writeBenchJob(shop, "known");
  const cwd = join(shop.folder, "known");
  const inventory = join(cwd, "inventory.yaml");
  const text = readFileSync(lab.inventory({ defaults: { gpu_check: "never" } }), "utf8");
  writeFileSync(inventory, `# mine\n${text.replaceAll("RX 6600", '"RX 6600"   # a card')}`);
  const ran = await runMuster(["bench", "--job", job, "--caps", "110W,100W", "--out", "found"], { cwd });
  t.equal(ran.code, 3, ran.err);
  t.match(ran.err, /rig1: 3 GPUs, one after the other\n/);
  t.match(ran.err, /rig2: 3 GPUs at once, at most 110 W each\n/);
  t.match(ran.out, /^node, GPU +alone +full load +share +W +units\/s\nrig1\n/);
  t.match(ran.out, /\n {2}03:00\.0 RX 6600 +\d+ +\d+ +\d+ % +98\/98\n/);
  t.match(ran.out, /\nslow: rig2 GPU 06:00\.0: \d+ alone, \d+ % below the median of 4 RX 6600\n/);
  t.match(ran.out, /\ncomputes wrongly: rig1 GPU 03:00\.0: 4 of 4 results are not what most cards of its kind have\n/);
  t.match(ran.out, /\napply it: patch -p1 < found\/inventory\.diff\n$/);
  t.ok(
    ran.out.split("\n").every((line) => line.length <= 80 || /^(slow|computes)/.test(line)),
    "80 columns",
  );
  t.ok(haveBootLimits(nodes), "power limits are restored");
  t.same(nodes.map(readNvidiaCap), ["350.00", "350.00"], "and were changed");

  const found = JSON.parse(readFileSync(join(cwd, "found/bench.json"), "utf8"));
  t.match(found.slow, [{ node: "rig2", pci: AMD_1, order: "alone", alike: 4 }]);
  t.match(found.wrong, [{ node: "rig1", pci: AMD_0 }]);
  const [rtx] = found.nodes[0].cards;
  t.match(rtx, { slot: 0, pci: NVIDIA, kind: "RTX 3080 Ti", profile: "rtx3080ti" });
  t.same(
    rtx.passes.map(({ order, capWatts }: Record<string, unknown>) => [order, capWatts]),
    [
      ["alone", undefined],
      ["together", undefined],
      ["together", 100],
      ["together", 110],
    ],
  );
  t.ok(rtx.passes[0].measurements[0].rate > 500 && rtx.passes[0].measurements[0].rate <= 1000);

  const before = readFileSync(inventory, "utf8").split("\n");
  execFileSync("git", ["apply", "--check", "found/inventory.diff"], { cwd });
  execFileSync("patch", ["-p1", "-s", "-i", "found/inventory.diff"], { cwd });
  const after = readFileSync(inventory, "utf8").split("\n");
  const isOurs = (line: string) => /^ {4}(rate: \d+|power: 1[01]0W)$/.test(line);
  t.equal(after.filter(isOurs).length, 4, "a rate and a limit for each kind");
  t.same(
    after.filter((line) => !isOurs(line)),
    before.filter((line) => !isOurs(line)),
    "nothing else has changed",
  );
  const { nodes: read } = loadInventory(inventory);
  const { name, settings } = read[0]!.gpuGroups![1]!.profile;
  t.equal(name, "rx6600");
  // Which of them is better depends on what else this machine does.
  t.ok([100, 110].includes(settings.powerWatts!), `${settings.powerWatts}`);
  const again = await runMuster(["bench", "--job", job, "--out", "found"], { cwd });
  t.equal(again.code, 64);
  t.match(again.err, /bench: found exists\n.*Name another folder with --out DIR/);
});

t.test("--burn lets all cards compute the job again and again", { skip }, async (t) => {
  const flaky = BENCH_WORKER.replace('"8" if', "os.urandom(4).hex() if");
  const job = writeBenchJob(shop, "burn", flaky);
  const options = ["--limit", "rig1", "--range", "0:500", "--burn", "4s", "--json", "--out", "found"];
  const cwd = join(shop.folder, "burn");
  const ran = await runMuster(["bench", "--job", job, "-i", lab.inventory(), ...options], { cwd });
  t.equal(ran.code, 3, ran.err);
  const found = JSON.parse(ran.out);
  t.ok(found.nodes[0].cards[2].passes[1].measurements.length >= 4, "several rounds");
  t.match(found.undecided, [[{ pci: AMD_0 }, { pci: AMD_1 }]], "of two cards nobody knows which is right");
  t.match(found.notes, [/^chunks took 0\.\d s, which says little: give them more work, e\.g\. --range 0:\d+$/]);
});

t.test("the built-in load says that it measured the processor, and proposes nothing", { skip }, async (t) => {
  const one = lab.inventory({ file: "one.yaml", nodes: { rig1: { profile: "rx6600", gpus: 1 } } });
  const options = ["rig1", "-i", one, "--time", "1s", "--out", "found"];
  const cwd = shop.folder;
  const ran = await runMuster(["bench", ...options], { cwd });
  t.equal(ran.code, 3, ran.err);
  t.match(ran.out, /\nrig1: its processor was measured \(.* Mstep\/s by .*\), and not its GPUs: /);
  t.match(ran.out, /next: Install OpenCL for the GPU there, or name a job of yours with --job FILE\.\n/);
  t.notMatch(ran.out, /inventory\.yaml/);
  t.notOk(existsSync(join(cwd, "found/inventory.diff")));
});

t.test("a card that hangs and a limit that cards do not take spoil nothing else", { skip }, async (t) => {
  const hanging = `${BENCH_WORKER.replace("units = ", `time.sleep(1000 * (card == "rig1 ${AMD_1}"))\nunits = `)}`;
  const job = writeBenchJob(shop, "hang", hanging, { ...QUICK, timeout: "6s" });
  const cwd = join(shop.folder, "hang");
  const ran = await runMuster(["bench", "rig1", "--job", job, "-i", lab.inventory(), "--caps", "130W"], { cwd });
  t.equal(ran.code, 3, ran.err);
  t.match(ran.out, /\n {2}06:00\.0 RX 6600 +failed\n/);
  t.match(ran.out, /failed: rig1 GPU 06:00\.0: still running after its timeout of 6 s/);
  t.match(
    ran.out,
    /rig1: no power limits were measured: GPU 0000:03:00\.0, 0000:06:00\.0: power cannot be 130 W: the card takes 60 W to 120 W/,
  );
  t.match(ran.err, /^rig1: no power limits: /m, "said at once");
  t.match(ran.out, /\n {2}03:00\.0 RX 6600 +\d+ +\d+ /);
  t.same(await nodes[0]!.quiet(20), [], "nothing runs on");
});

t.test("a job that fails everywhere is tried once", { skip }, async (t) => {
  const job = writeBenchJob(shop, "broken", "import nothing_of_this_name\n", { project: "none" });
  const cwd = join(shop.folder, "broken");
  const ran = await runMuster(["bench", "rig1", "--job", job, "-i", lab.inventory()], { cwd });
  t.equal(ran.code, 3, ran.err);
  t.match(ran.out, /failed: rig1 GPU 03:00\.0: exit code 1: ModuleNotFoundError: .*nothing_of_this_name/);
  t.notMatch(ran.err, /at once/);
});
