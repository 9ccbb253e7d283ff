import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { ResultLine } from "../../executor/run/record/resultlines.js";
import type { RunSummary } from "../../executor/run/record/runsummary.js";
import { watchMuster } from "../faults/knownjob.js";
import { pciAddress } from "../lab/fakegpus.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { GpuJob } from "./gpujob.js";
import { runMuster, startMuster } from "./startmuster.js";

t.setTimeout(300_000);
/** Slot 0 is a card of NVIDIA, slots 1 and 2 are cards of AMD. */
const { skip, shop, lab, nodes } = await shareLab(t, { nodes: ["mixed"], gpus: 2, nvidia: 1 }, "GPUs");
const node = nodes[0]!;
const [AMD_0, AMD_1, NVIDIA] = [0, 1, 2].map(pciAddress) as [string, string, string];

const nvidia = { model: "RTX 3080 Ti", vram: 12 * 1024 ** 3, count: 1, release: "nvidia" } as const;
const sampled = { gpu_samples: "1s", price: "30/kWh" };

/** Returns the resident processes of NVIDIA's tool. */
function listTools(): number[] {
  return node
    .processes()
    .flatMap(({ pid, argv }) => (argv.includes("-l") && argv.join(" ").includes("nvidia-smi") ? [pid] : []));
}

const readResults = (name: string) => shop.results(`${name}/runs/${name}`) as unknown as ResultLine[];
const readSummary = (name: string) => shop.json<RunSummary>(`${name}/runs/${name}/summary.json`);

t.test("results, summary, report, page and metrics have what the cards used", { skip }, async (t) => {
  node.setGpus({ busy: { 0: 97, 1: 50 }, watts: { 1: 36 }, hot: [0], used: { 0: 1024 } });
  const job = new GpuJob(shop, "used", 6, 3.5);
  const metrics = join(shop.folder, "used.prom");
  const inventory = lab.inventory({ file: "used.yaml", defaults: sampled });
  const run = watchMuster(startMuster(["run", job.file, "-i", inventory, "--metrics", metrics]));
  await waitUntil("the tool runs", () => listTools().length === 1);
  const tools = listTools();
  await waitUntil("chunks ended, and the tool runs", () => job.begun(node).length > 3 && listTools().length === 1);
  t.same(listTools(), tools, "by the same process for all chunks");
  const { code, err, out } = await run.ended;
  t.equal(code, 0, err);
  t.same(await node.quiet(20), [], "nothing runs on");

  const lines = readResults("used");
  t.equal(lines.length, 6);
  for (const { cards, usage, seconds } of lines) {
    t.equal(usage?.length, 1);
    const { pci, watts, wattHours = 0, ...rest } = usage![0]!;
    t.equal(pci, cards![0]!.pci);
    // NVIDIA's tool may take some seconds to start on a busy machine.
    t.ok(
      rest.samples >= 1 && rest.seconds > seconds / 2 && rest.seconds < seconds + 0.2,
      `${rest.seconds} of ${seconds} s`,
    );
    t.ok(Math.abs(wattHours * 3600 - watts!.mean * rest.seconds) < 10, `${wattHours} Wh`);
    const expected = {
      [AMD_0]: { busy: { mean: 97, max: 97 }, used: { max: 2 ** 30 }, throttled: { heat: rest.seconds } },
      [AMD_1]: { busy: { mean: 50 }, junctionCelsius: { mean: 75, max: 75 }, fan: { max: 20 }, throttled: {} },
      [NVIDIA]: { busy: { mean: 0 }, celsius: { mean: 38 }, memoryMhz: { max: 405 }, fan: { max: 30 }, throttled: {} },
    }[pci]!;
    t.match(rest, expected);
    t.equal(watts!.max, { [AMD_0]: 98.4, [AMD_1]: 36, [NVIDIA]: 21.5 }[pci]);
  }

  const { usage } = readSummary("used");
  t.match(usage, { results: 6, nodes: [{ node: "mixed", price: 30, cards: [{ pci: AMD_0 }, { pci: AMD_1 }, {}] }] });
  t.ok(Math.abs(usage!.cost! - (usage!.wattHours! / 1000) * 30) < 1e-4);
  t.ok(Math.abs(usage!.unitsPerWattHour! - 6 / usage!.wattHours!) < 1);
  t.match(out, /\n {2}GPUs: 0\.\d+ Wh, \d+ units\/Wh, cost 0\.\d+, throttled by heat for \d/);

  const shown = await runMuster(["report", "used"], { cwd: join(shop.folder, "used") });
  t.match(shown.out, /\nmixed .* 0\.\d+ +\d+ +0\.\d+ +\d+ % +\d+\/98 .*\n {2}03:00\.0 .*61\/75\/80 +heat \d/);
  const told = JSON.parse((await runMuster(["report", "used", "--json"], { cwd: join(shop.folder, "used") })).out);
  t.match(told.usage, { results: 6, nodes: [{ node: "mixed", price: 30 }] });
  const page = join(shop.folder, "used.html");
  await runMuster(["report", "used", "--html", page], { cwd: join(shop.folder, "used") });
  t.match(readFileSync(page, "utf8"), /<h2>GPUs<\/h2>.*0000:03:00\.0 RX 6600/s);
  t.match(
    readFileSync(metrics, "utf8"),
    /^muster_run_gpu_power_watts_max\{run="used",node="mixed",gpu="0000:03:00\.0",model="RX 6600"\} 98\.4$/m,
  );
});

t.test("chunks that share a card share its energy", { skip }, async (t) => {
  node.setGpus({ watts: { 0: 72, 1: 72 }, hot: [], busy: {} });
  const job = new GpuJob(shop, "shared", 4, 4.5, { needs: { vendor: "amd", gpu_share: "50%" } });
  const inventory = lab.inventory({ file: "shared.yaml", defaults: { gpu_samples: "1s" } });
  const ran = await runMuster(["run", job.file, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  for (const { seconds, usage } of readResults("shared")) {
    const { share = 1, wattHours = 0, watts } = usage![0]!;
    t.ok(share >= 0.5 && share < 0.8, `a share of ${share}`);
    t.ok(Math.abs(wattHours * 3600 - 72 * seconds * share) < 5, `${wattHours} Wh`);
    t.same(watts, { mean: 72, max: 72 });
  }
  const { usage } = readSummary("shared");
  t.ok(usage!.computedSeconds < 2 * 7, "two cards worked side by side");
});

t.test("short chunks start nothing, and neither does `never`", { skip }, async (t) => {
  const seen: number[] = [];
  const timer = setInterval(() => seen.push(...listTools()), 100);
  const short = new GpuJob(shop, "short", 6, 0.1);
  t.equal((await runMuster(["run", short.file, "-i", lab.inventory({ file: "short.yaml" })])).code, 0);
  const never = new GpuJob(shop, "never", 3, 3.5);
  const inventory = lab.inventory({ file: "never.yaml", defaults: { gpu_samples: "never" } });
  t.equal((await runMuster(["run", never.file, "-i", inventory])).code, 0);
  clearInterval(timer);
  t.same(seen, []);
  for (const name of ["short", "never"]) {
    t.ok(
      readResults(name).every((line) => line.cards !== undefined && line.usage === undefined),
      name,
    );
    t.equal(readSummary(name).usage, undefined);
  }
});

t.test("a card that hangs and a tool that fails keep the others from nothing", { skip }, async (t) => {
  node.setGpus({ nvidia: { ...nvidia, tools: "fail" } });
  const file = `/sys/devices/pci0000:00/${AMD_0}/gpu_busy_percent`;
  await node.exec(["sh", "-c", 'mkfifo "$0.new" && mv "$0.new" "$0"', file]);
  const job = new GpuJob(shop, "sick", 3, 3.5);
  const inventory = lab.inventory({ file: "sick.yaml", defaults: { gpu_samples: "1s", gpu_check: "never" } });
  const ran = await runMuster(["run", job.file, "-i", inventory]);
  await node.exec(["rm", file]);
  node.setGpus({ nvidia: { ...nvidia, tools: undefined } });
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /mixed: no samples of its NVIDIA GPUs: ERROR:root:Driver not initialized/);
  const used = readResults("sick").map(({ cards, usage }) => [cards![0]!.pci, usage?.[0]?.pci]);
  t.same(
    new Map(used as [string, string | undefined][]),
    new Map([
      [AMD_0, undefined],
      [AMD_1, AMD_1],
      [NVIDIA, undefined],
    ]),
  );
  t.same(await node.quiet(20), [], "nothing runs on");
});

t.test("a tool that does not know all fields is asked for fewer", { skip }, async (t) => {
  node.setGpus({ nvidia: { ...nvidia, old: true } });
  const job = new GpuJob(shop, "old", 1, 3.5, { needs: { vendor: "nvidia" } });
  const inventory = lab.inventory({ file: "old.yaml", defaults: { gpu_samples: "1s" } });
  const ran = await runMuster(["run", job.file, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.notMatch(ran.err, /no samples/);
  const [used] = readResults("old")[0]!.usage!;
  t.match(used, { pci: NVIDIA, watts: { max: 21.5 }, celsius: { mean: 38 } });
  t.notOk(Object.hasOwn(used!, "throttled"));
  const looked = await runMuster(["top", "-i", inventory]);
  t.match(looked.out, /\n {2}0 {6}- .* 21 W {2}38 °C\n/);
  node.setGpus({ nvidia });
});

t.test("the tool ends with an agent that is killed", { skip }, async (t) => {
  const job = new GpuJob(shop, "killed", 3, 6);
  const inventory = lab.inventory({ file: "killed.yaml", defaults: { gpu_samples: "1s" } });
  const run = watchMuster(startMuster(["run", job.file, "-i", inventory]));
  await waitUntil("the tool runs", () => listTools().length === 1);
  const tools = listTools();
  const shell = node.processes().find(({ pid }) => pid === tools[0])!.parent;
  const agent = node.processes().find(({ pid }) => pid === shell)!.parent;
  process.kill(agent, "SIGKILL");
  await waitUntil("it is gone", () => !listTools().includes(tools[0]!));
  job.hurry(node);
  t.equal((await run.ended).code, 0);
  t.equal(readResults("killed").length, 3);
  t.same(await node.quiet(20), [], "nothing runs on");
});

t.test("a price without a unit is refused with the line to write", { skip }, async (t) => {
  const job = new GpuJob(shop, "priced", 1, 0);
  for (const [price, shown] of [
    [0.3, "0\\.3/kWh"],
    ["0.30", "0\\.30/kWh"],
    ["0.30 EUR", "0\\.30/kWh"],
  ] as const) {
    const inventory = lab.inventory({ file: "priced.yaml", defaults: { price } });
    const ran = await runMuster(["run", job.file, "-i", inventory]);
    t.match(ran, { code: 65, err: new RegExp(`defaults\\.price must be a price with its unit, like ${shown}`) });
  }
  const inventory = lab.inventory({ file: "fast.yaml", defaults: { gpu_samples: "200ms" } });
  t.match(await runMuster(["run", job.file, "-i", inventory]), {
    code: 65,
    err: /defaults\.gpu_samples must be never, or a span of time of at least 1s/,
  });
});
