import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import t from "tap";
import { loadOwnJob } from "../../executor/bench/benchload.js";
import { measurePass } from "../../executor/bench/measurepass.js";
import { loadInventory } from "../../fleet/inventory.js";
import { watchMuster } from "../faults/knownjob.js";
import type { LabNode } from "../lab/labnode.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { BENCH_WORKER, haveBootLimits, QUICK, readCaps, writeBenchJob } from "./benchjob.js";
import { runMuster, startMuster } from "./startmuster.js";

t.setTimeout(600_000);
const { skip, shop, lab, nodes } = await shareLab(t, { nodes: ["rig1", "rig2"], gpus: 2, nvidia: 1 }, "GPUs");

/** Still computes when it is interrupted: at a limit of 105 W it does not end. */
const ENDLESS_AT_105W = BENCH_WORKER.replace(
  "units = ",
  `import glob
caps = glob.glob("/sys/bus/pci/devices/" + os.environ["MUSTER_GPU_PCI"] + "/hwmon/hwmon*/power1_cap")
time.sleep(1000 * ([open(cap).read().strip() for cap in caps] == ["105000000"]))
units = `,
);

for (const signal of ["SIGINT", "SIGKILL"] as const)
  t.test(`power limits are restored after ${signal}`, { skip }, async (t) => {
    const job = writeBenchJob(shop, signal, ENDLESS_AT_105W, QUICK);
    const words = ["bench", "--job", job, "-i", lab.inventory(), "--caps", "105W"];
    const run = watchMuster(startMuster(words, { cwd: join(shop.folder, signal) }));
    await waitUntil("a limit is set", () => readCaps(nodes).includes("105000000"));
    run.child.kill(signal);
    const { code, err } = await run.ended;
    const isRestored = () => haveBootLimits(nodes);
    if (signal === "SIGINT") {
      t.equal(code, 130, err);
      t.match(err, /stopping: the load is ended, and power limits are restored/);
      t.ok(isRestored(), "when it ends");
    } else await waitUntil("the nodes restore them", isRestored, 20);
    for (const node of nodes) t.same(await node.quiet(100), [], `nothing runs on at ${node.name}`);
  });

t.test("an interrupt while it connects is answered at once, and nothing is measured", { skip }, async (t) => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo;
  const inventory = lab.inventory({ file: "silent.yaml", nodes: { rig1: { host: "127.0.0.1", port } } });
  const run = watchMuster(startMuster(["bench", "rig1", "-i", inventory, "--out", "silent"], { cwd: shop.folder }));
  const [socket] = (await once(silent, "connection")) as [Socket];
  run.child.kill("SIGINT");
  await waitUntil("it answers", () => run.stderr().includes("stopping: "));
  silent.close();
  socket.destroy();
  const { code, err } = await run.ended;
  t.equal(code, 130, err);
  t.notMatch(err, /GPU/);
});

t.test("nodes in use are left out, with who uses them", { skip }, async (t) => {
  const job = writeBenchJob(shop, "busy");
  const other = shop.write("busy/other.yaml", {
    name: "other",
    kind: "tasks",
    command: ["sh", "-c", "while [ -e /var/tmp/hold ]; do sleep 0.1; done"],
    needs: { gpus: 1, vendor: "amd" },
    outputs: [],
    tasks: [{ id: "a" }, { id: "b" }],
  });
  const [first, second] = nodes as [LabNode, LabNode];
  writeFileSync(join(first.root, "var/tmp/hold"), "");
  const inventory = lab.inventory();
  const cwd = join(shop.folder, "busy");
  const run = watchMuster(startMuster(["run", other, "-i", inventory, "--limit", "rig1"], { cwd }));
  await waitUntil("it runs", () => first.processes().some(({ argv }) => argv.join(" ").includes("/var/tmp/hold")));

  const refused = await runMuster(["bench", "rig1", "--job", job, "-i", inventory, "--out", "refused"], { cwd });
  t.equal(refused.code, 75, refused.err);
  t.match(refused.out, /^rig1: not measured: run other-[0-9a-f]+@rig1 is on it\n {4}next: Wait until/);

  // A run that begins after the look.
  const [node] = loadInventory(inventory).nodes;
  const held = await measurePass({
    load: loadOwnJob(job, undefined, loadInventory(inventory)),
    node: node!,
    slots: [1],
    rounds: 1,
    order: "together",
    folder: join(cwd, "held"),
    signal: new AbortController().signal,
  });
  t.match(held.problem, { code: "HELD", message: /slot 1 is held by run other/ });

  writeFileSync(join(second.root, "dev/kfd"), "");
  await second.exec(["sh", "-c", "sleep 1005 </dev/kfd >/dev/null 2>&1 & echo $! >/var/tmp/user"]);
  const both = await runMuster(["bench", "--job", job, "-i", inventory, "--json", "--out", "both"], { cwd });
  t.equal(both.code, 75, both.err);
  t.match(JSON.parse(both.out).leftOut, [
    { node: "rig1" },
    { node: "rig2", reason: /^pid \d+ \(sleep\) computes on a GPU$/ },
  ]);
  await second.exec(["sh", "-c", "kill $(cat /var/tmp/user)"]);
  await first.exec(["rm", "/var/tmp/hold"]);
  t.equal((await run.ended).code, 0);
});

t.test("a sick card is said, and the others are measured", { skip }, async (t) => {
  nodes[1]!.setGpus({ sick: [1] });
  const job = writeBenchJob(shop, "sick");
  const ran = await runMuster(["bench", "rig2", "--job", job, "-i", lab.inventory()], {
    cwd: join(shop.folder, "sick"),
  });
  nodes[1]!.setGpus({ sick: [] });
  t.equal(ran.code, 3, ran.err);
  t.match(ran.out, /\n {2}03:00\.0 RX 6600 +\d+ +\d+ /);
  t.match(ran.out, /\nfailed: rig2 GPU 06:00\.0: .*(?:clock|perf|N\/A)/);
});

t.test("a drained node is measured only where it is named", { skip }, async (t) => {
  const job = writeBenchJob(shop, "drained", BENCH_WORKER, QUICK);
  const cwd = join(shop.folder, "drained");
  const inventory = join(cwd, "inventory.yaml");
  writeFileSync(inventory, readFileSync(lab.inventory(), "utf8"));
  t.equal((await runMuster(["drain", "rig1", "--reason", "fans"], { cwd })).code, 0);
  const all = await runMuster(["bench", "--job", job, "--limit", "rig1", "--out", "all"], { cwd });
  t.equal(all.code, 69, all.err);
  t.match(all.out, /^rig1: not measured: drained.*fans.*\n {4}next: Name it to measure it: muster bench rig1\n/);
  const named = await runMuster(["bench", "rig1", "--job", job, "--out", "named"], { cwd });
  t.match(named.out, /\n {2}06:00\.0 RX 6600 +\d+/);
});

t.test("wrong usage is refused before any connection", { skip }, async (t) => {
  const cpu = writeBenchJob(shop, "cpu", BENCH_WORKER, { needs: { gpus: 0 } });
  const pair = writeBenchJob(shop, "pair", BENCH_WORKER, { needs: { gpus: 2 } });
  const queue = shop.write("queue.yaml", { kind: "queue", needs: { gpus: 1 }, command: ["true"], outputs: [] });
  const inventory = lab.inventory({ file: "wrong.yaml", nodes: {} });
  const bare = shop.write("bare.yaml", { nodes: { bare: { host: "127.0.0.1" } } });
  const table: [words: string[], code: number, text: RegExp][] = [
    [["nix", "-i", inventory], 64, /no node or tag is called "nix"/],
    [["bare", "-i", bare], 64, /bench: bare has no GPUs in the inventory/],
    [["-i", bare], 69, /no node of the inventory has GPUs/],
    [["-i", inventory, "--caps", "80X"], 64, /--caps 80X: "80X" must be a power like 100W/],
    [["-i", inventory, "--time", "0s"], 64, /--time 0s: it must be/],
    [["-i", inventory, "--time", "2d"], 64, /--time 2d: it must be between 1s and 24h/],
    [["-i", inventory, "--range", "0:5"], 64, /--range is for --job/],
    [["-i", inventory, "--job", "nix.yaml"], 65, /nix\.yaml: there is no such file/],
    [["-i", inventory, "--job", cpu], 64, /its chunks use no GPU/],
    [["-i", inventory, "--job", pair], 64, /its chunks need several GPUs/],
    [["-i", inventory, "--job", queue], 64, /queue\.yaml: it is a queue, which has no chunk to measure/],
  ];
  for (const [words, code, text] of table) {
    const ran = await runMuster(["bench", ...words], { cwd: shop.folder });
    t.equal(ran.code, code, words.join(" "));
    t.match(ran.err, text);
    t.notMatch(ran.err, /\n {4}at /);
  }
  t.notOk(existsSync(join(shop.folder, "runs")), "nothing was begun");
});
