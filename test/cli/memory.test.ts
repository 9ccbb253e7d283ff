import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { watchMuster } from "../faults/knownjob.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: 1, vendor: "none" }, "looking into nodes");
const node = nodes[0]!;

t.before(async () => {
  if (skip) return;
  await tell(4096, 4096);
  await node.exec(["mount", "--bind", "/etc/lab-meminfo", "/proc/meminfo"]);
  if (!existsSync(join(node.root, PRESSURE))) return;
  stall(0);
  await node.exec(["mount", "--bind", "/etc/lab-pressure", `/${PRESSURE}`]);
});

const PRESSURE = "proc/pressure/memory";

/** Sets the memory pressure (PSI, `full avg10`, in per cent) that the node's kernel reports. */
function stall(percent: number): void {
  const line = `avg10=${percent}.00 avg60=0.00 avg300=0.00 total=0\n`;
  writeFileSync(join(node.root, "etc/lab-pressure"), `some ${line}full ${line}`);
}

/** Sets the memory that the node's kernel reports, in MiB. */
async function tell(total: number, free: number): Promise<void> {
  const text = `MemTotal: ${total << 10} kB\nMemAvailable: ${free << 10} kB\n`;
  await node.exec(["sh", "-c", 'printf "%s" "$1" > /etc/lab-meminfo', "sh", text]);
}

/** A worker that records when it ran, holds `mebibytes` for `seconds`, and then until the file `go` exists. */
const WORKER = `import json, os, sys, time
began, seconds, go = time.monotonic(), float(sys.argv[1]), sys.argv[3]
held = bytearray(int(sys.argv[2]) << 20)
time.sleep(seconds)
while go != "-" and not os.path.exists(go): time.sleep(0.05)
json.dump([began, time.monotonic()], open("r.json", "w"))
`;

function job(name: string, count: number, args: string[], more: object): string {
  shop.write(`${name}/w.py`, WORKER);
  const chunks = { kind: "matrix", matrix: { n: [0, count] }, script: "w.py", args, outputs: ["r.json"] };
  return shop.write(`${name}/job.yaml`, { name, ...chunks, ...more });
}

/** Returns the highest number of concurrent chunks among those that started after the first ones. */
function mostAtOnce(name: string, after = 0): number {
  const spans = shop.results(`${name}/runs/${name}`).map(({ output }) => output as [number, number]);
  spans.sort(([a], [b]) => a - b);
  return Math.max(...spans.slice(after).map(([at]) => spans.filter(([from, to]) => from <= at && at < to).length));
}

t.test("needs.memory is kept free for each running chunk, and waiting slots are shown", { skip }, async (t) => {
  await tell(4096, 2400);
  const inventory = lab.inventory({ node: { slots: 4 } });
  const ran = await runMuster([
    "run",
    job("promised", 6, ["0.5", "1", "-"], { needs: { memory: "1GiB" } }),
    "-i",
    inventory,
  ]);
  t.equal(ran.code, 0, ran.err);
  t.equal(mostAtOnce("promised"), 2);
  t.match(ran.err, new RegExp(`${node.name}: [23] slots wait for memory`));
});

t.test("needs.memory above the free memory: chunks run one at a time, and the run ends", { skip }, async (t) => {
  await tell(4096, 600);
  const inventory = lab.inventory({ node: { slots: 2 } });
  const ran = await runMuster([
    "run",
    job("alone", 4, ["0.1", "1", "-"], { needs: { memory: "1GiB" } }),
    "-i",
    inventory,
  ]);
  t.equal(ran.code, 0, ran.err);
  t.equal(mostAtOnce("alone"), 1);
});

t.test("without needs.memory, the observed memory of chunks counts", { skip }, async (t) => {
  // The reported memory stays the same while chunks run, so it never suffices for a second one.
  await tell(4096, 360);
  const inventory = lab.inventory({ node: { slots: 3 } });
  const ran = await runMuster(["run", job("seen", 9, ["0.5", "160", "-"], {}), "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.equal(mostAtOnce("seen", 3), 1, "once the first three have shown what they use");
});

t.test("chunks that need little memory never wait", { skip }, async (t) => {
  await tell(4096, 500);
  const inventory = lab.inventory({ node: { slots: 3 } });
  const ran = await runMuster(["run", job("light", 9, ["0.5", "1", "-"], {}), "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.notMatch(ran.err, /for memory/);
  t.equal(mostAtOnce("light"), 3);
});

t.test("when memory runs out, the youngest chunk is requeued without counting an attempt", { skip }, async (t) => {
  await tell(4096, 4000);
  const inventory = lab.inventory({ node: { slots: 2 } });
  const file = job("short", 2, ["0", "80", "/tmp/go"], { retry: { attempts: 1 } });
  const child = startMuster(["run", file, "-i", inventory]);
  const end = waitForExit(child);
  let text = "";
  const gone = new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (bytes) => {
      text += bytes;
      if (/its memory runs out.*goes back to the queue/.test(text)) resolve();
    });
    child.on("close", () => reject(new Error(text)));
  });
  await tell(4096, 20);
  await gone;
  await node.exec(["touch", "/tmp/go"]);
  await tell(4096, 4000);
  const ran = await end;
  t.equal(ran.code, 0, ran.err);
  t.equal(shop.results("short/runs/short").length, 2);
  t.match(shop.json("short/runs/short/summary.json"), { session: { attempts: 3 }, nodes: [{ failedAttempts: 0 }] });
  t.same(await node.quiet(20), []);
});

t.test(
  "under memory pressure the youngest chunk is requeued, and waits, before the kernel kills one",
  { skip },
  async (t) => {
    if (!existsSync(join(node.root, PRESSURE))) return void t.pass("this kernel does not tell of pressure");
    await tell(8192, 800);
    const inventory = lab.inventory({ node: { slots: 3 } });
    const file = job("pressed", 3, ["0", "1", "/tmp/go-pressed"], {
      needs: { memory: "100MiB" },
      retry: { attempts: 1 },
    });
    const run = watchMuster(startMuster(["run", file, "-i", inventory]));
    const journal = join(shop.folder, "pressed/runs/pressed/journal.ndjson");
    const running = () => node.processes().filter(({ argv }) => argv.includes("/tmp/go-pressed")).length;
    await waitUntil("all three run", () => existsSync(journal) && running() === 3);
    stall(30);
    await waitUntil("the youngest goes back", () =>
      /its memory runs out: chunk n=\d.*goes back to the queue/.test(run.stderr()),
    );
    await waitUntil("its slot waits", () => run.stderr().includes(`${node.name}: 1 slot waits for memory`));
    t.ok(running() < 3);
    stall(0);
    await node.exec(["touch", "/tmp/go-pressed"]);
    const { code, err } = await run.ended;
    t.equal(code, 0, err);
    t.same(
      shop.results("pressed/runs/pressed").map(({ chunk }) => chunk),
      ["n=0", "n=1", "n=2"],
      "every chunk once",
    );
    t.match(shop.json("pressed/runs/pressed/summary.json"), { nodes: [{ failedAttempts: 0 }] });
    t.same(await node.quiet(20), []);
  },
);
