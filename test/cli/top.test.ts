import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { followTerminal } from "./followterminal.js";
import { startInTerminal, typeKeys } from "./pseudoterminal.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

t.setTimeout(300_000);
const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: ["rig", "zeus"], gpus: 2, vendor: "amd" }, "GPUs");

/** Reports a quarter of its work, and waits for the file `topped` of its node. */
const WORKER = `import os, time
with open(os.environ["MUSTER_PROGRESS"], "w") as file: file.write("1 4")
while not os.path.exists("/var/tmp/topped"): time.sleep(0.05)
`;
t.test("one look, in a pipe and as JSON", { skip }, async (t) => {
  const [rig, zeus] = nodes;
  rig!.setGpus({ used: { 0: 2048 }, busy: { 0: 97 } });
  const looked = await runMuster(["top", "-i", inventory], { cwd: shop.folder });
  t.match(looked, { code: 0, err: "" });
  t.match(looked.out, /^2 nodes, 0 runs, 0 chunks running\n/);
  t.match(
    looked.out,
    /\nrig {2}197 W, load .*\n {2}0 {6}- +97 % {3}2\.0\/8\.0 GiB +98 W {2}61 °C\n {2}1 {6}- +0 % {3}0\.0\/8\.0 GiB.*\nzeus {2}/,
  );
  t.ok(looked.out.split("\n").every((line) => line.length <= 80));
  const plain = await waitForExit(startInTerminal(["top", "-i", inventory, "--no-color"], { cwd: shop.folder }));
  t.match([plain.code, plain.out.trimStart().startsWith("2 nodes"), plain.out.includes("\u001b")], [0, true, false]);
  rig!.setGpus({ used: {}, busy: {} });
  await zeus!.powerOff();
  const document = JSON.parse((await runMuster(["top", "-i", inventory, "--json"])).out);
  t.match(document, {
    nodes: [
      { node: "rig", state: "live", gpus: [{ pci: "0000:03:00.0", busy: 0, total: 2 ** 33 }, { pci: "0000:06:00.0" }] },
      { node: "zeus", state: "away", reason: String, next: String },
    ],
    runs: [],
  });
  const quiet = await runMuster(["top", "-i", inventory, "-q"]);
  t.match(quiet, { code: 3, out: "", err: /^zeus: .*\n {2}next: check / });
  t.equal((await runMuster(["top", "-i", inventory, "--limit", "zeus"])).code, 69);
  t.match(await runMuster(["top", "nope", "-i", inventory]), {
    code: 64,
    err: /nope: there is no such folder, and no run/,
  });
  await zeus!.powerOn();
  t.same(await rig!.quiet(20), [], "nothing runs on");
});

t.test("on a terminal, while a run goes on, a node goes away and comes back", { skip }, async (t) => {
  shop.write("top/w.py", WORKER);
  const job = shop.write("top/job.yaml", {
    name: "seen",
    kind: "matrix",
    matrix: { n: [0, 6] },
    script: "w.py",
    args: ["{n}"],
  });
  const run = startMuster(["run", job, "-i", inventory]);
  const { model, child, waitFor, raw, ended } = followTerminal(t, ["top", "-i", inventory], {
    cwd: join(shop.folder, "top"),
  });
  const row = /^ {2}[01] {6}n=\d +25 % +.*(?:s|min) .* GiB/;
  await waitFor("all GPUs have a chunk", /^2 nodes, 1 run, 4 chunks running/, row, /^seen \[-+\] 0\.0 %/);
  await waitUntil("four rows", () => model.screen.filter((line) => row.test(line)).length === 4, 60);
  t.match(model.screen.at(-1), /^q quits/);
  t.ok(model.screen.every((line) => line.length <= 80));
  t.ok(raw().includes("\u001b[?1049h"), "the terminal's other screen");
  const named = await runMuster(["top", "seen", "-i", inventory], { cwd: join(shop.folder, "top") });
  t.match(named, { code: 0, out: /^2 nodes, 1 run, 4 chunks running\n/ });
  const [rig, zeus] = nodes;
  rig!.setGpus({ absent: [0], busy: { 1: 50 } });
  const without = await runMuster(["top", "seen", "-i", inventory, "--limit", "rig"], {
    cwd: join(shop.folder, "top"),
  });
  t.match(
    without.out,
    /\nrig .*\n {2}0 {6}n=\d +25 % [^%]*\n {2}1 {6}n=\d +25 % .* 50 % /,
    "each card has its own row",
  );
  rig!.setGpus({ absent: [], busy: {} });
  await zeus!.powerOff();
  await waitFor("the node is away", /^zeus {2}away: /);
  await zeus!.powerOn();
  await waitFor("it is back", /^zeus {2}(?:.*, )?load /);
  typeKeys(child, "q");
  t.equal((await ended).code, 0);
  t.ok(raw().endsWith("\u001b[?1049l"), "what was there before is back");
  for (const { root } of nodes) writeFileSync(join(root, "var/tmp/topped"), "");
  t.equal((await waitForExit(run)).code, 0);
  for (const { root } of nodes) rmSync(join(root, "var/tmp/topped"));
  for (const node of nodes) t.same(await node.quiet(20), [], "nothing runs on");
});

t.test("a card that does not answer holds up no other", { skip }, async (t) => {
  const [rig] = nodes;
  const file = join(rig!.root, "sys/devices/pci0000:00/0000:03:00.0/gpu_busy_percent");
  rmSync(file);
  await rig!.exec(["mkfifo", "/sys/devices/pci0000:00/0000:03:00.0/gpu_busy_percent"]);
  const { out } = await runMuster(["top", "-i", inventory, "--limit", "rig"], { cwd: shop.folder });
  t.match(out, /\n {2}0 {6}-.*\n {2}1 {6}- +0 % /);
  t.same(await rig!.quiet(20), [], "nothing runs on");
  rmSync(file);
  rig!.setGpus({});
});
