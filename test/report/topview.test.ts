import t from "tap";
import type { LiveNode, LiveRun } from "../../executor/run/record/liverun.js";
import { type GpuSample, keepLostGpus, type NodeSample } from "../../fleet/gpus/gpusample.js";
import type { SampledNode } from "../../fleet/gpus/sampledfleet.js";
import { createDefaultNode } from "../../fleet/mergenode.js";
import type { GpuGroup } from "../../fleet/node.js";
import { countColumns } from "../../report/columns.js";
import { renderFleet } from "../../report/topview.js";
import { createBusySlot, createLiveNode, createLiveRun, LIVE_NOW_MS, secondsAgo } from "./liverunsample.js";

const GIB = 2 ** 30;
const frame = (columns: number) => ({ columns, rows: 0, nowMs: LIVE_NOW_MS, paint: (text: string) => text });

function gpu(bus: number, figures: Partial<GpuSample> = {}): GpuSample {
  return { pci: `0000:0${bus}:00.0`, age: 1, isAsleep: false, ...figures };
}

function live(name: string, gpus: GpuSample[], more: Partial<NodeSample> = {}): SampledNode {
  const memory = { total: 16 * GIB, available: 12 * GIB };
  return { node: createDefaultNode(name), state: "live", sample: { load: 1.5, memory, gpus, ...more }, atMs: 0 };
}

const busy = { busy: 98.6, used: 3.1 * GIB, total: 8 * GIB, watts: 98.4, celsius: 61.2, mhz: 2300 };

function run(change: Partial<LiveRun> = {}): LiveRun {
  return createLiveRun({
    chunks: { done: 4, failed: 0 },
    waiting: { units: "5", seconds: 100 },
    nodes: [createLiveNode("rig", { running: 1 })],
    slots: [{ ...createBusySlot("rig", 0, 30, { progress: 0.5, progressAt: secondsAgo(0), text: "epoch 3" }), gpu: 0 }],
    omitted: undefined,
    ...change,
  });
}

t.test("nodes without a run", async (t) => {
  const nodes: SampledNode[] = [
    live("rig", [gpu(3, busy), gpu(6, { isAsleep: true }), gpu(9, { ...busy, age: 40 }), gpu(8)], {
      memory: undefined,
    }),
    { node: createDefaultNode("new"), state: "connecting" },
    {
      node: { ...createDefaultNode("hera"), drain: { since: secondsAgo(9) } },
      state: "away",
      reason: "no route\nto it",
    },
    live("zeus", [], { problem: "No devices were found" }),
  ];
  t.same(renderFleet({ nodes, runs: [] }, frame(80)), [
    "4 nodes, 0 runs, 0 chunks running",
    "  GPU    CHUNK             DONE         TIME   BUSY        MEMORY  POWER   TEMP",
    "rig  load 1.5",
    "  0      -                                     99 %   3.1/8.0 GiB   98 W  61 °C",
    "  1      -                                                 asleep",
    "  2      -                                              no answer",
    "  3      -",
    "new  connecting",
    "hera  away: no route to it, drained",
    "zeus  load 1.5, memory 4.0/16.0 GiB, No devices were found",
  ]);
});

t.test("a run on GPUs and CPU slots", async (t) => {
  const slots = [
    ...run().slots,
    { node: "rig", slot: 1, gpu: 1, reason: "its clocks are N/A; it is looked at again" },
    { ...createBusySlot("rig", 2, 5) },
    { node: "rig", slot: 3 },
  ];
  const runs = [{ label: "sieve", path: "/runs/sieve", live: run({ slots }) }];
  const lines = renderFleet({ nodes: [live("rig", [gpu(3, busy), gpu(6)])], runs }, frame(80));
  t.same(lines.slice(3), [
    "  GPU    CHUNK             DONE         TIME   BUSY        MEMORY  POWER   TEMP",
    "rig  1 running, 4 done, load 1.5, memory 4.0/16.0 GiB",
    "  0      c0                50 %    30 s left   99 %   3.1/8.0 GiB   98 W  61 °C",
    "  1      its clocks are N/A; it is looked …",
    "  cpu 2  c2                              5 s",
  ]);
  t.match(lines[1], /^sieve \[#+-+\] 40\.0 % /);
});

t.test("two runs share a node; the GPU of a waiting run shows the one that has it", async (t) => {
  const waits = run({ slots: [{ node: "rig", slot: 0, gpu: 0, reason: "waits for run sieve" }] });
  const runs = [
    { label: "other", path: "/runs/other", live: waits },
    { label: "analysis/trials", path: "/runs/analysis/trials", live: run() },
  ];
  const lines = renderFleet({ nodes: [live("rig", [gpu(3, busy)])], runs }, frame(140));
  t.match(
    lines.at(-1),
    /^ {2}0 {6}analysis\/trials c0 +50 % +30 s left {3}99 % {3}3\.1\/8\.0 GiB {3}98 W {2}61 °C {2}epoch 3$/,
  );
});

t.test("a node that is away shows what its run last said, and a chunk of two GPUs is on both", async (t) => {
  const chunk = { chunk: "pair", slots: [0, 1] };
  const slots = [0, 1].map((slot) => ({ ...createBusySlot("rig", slot, 30, chunk), gpu: slot }));
  const runs = [{ label: "sieve", path: "/runs/sieve", live: run({ slots }) }];
  const nodes: SampledNode[] = [{ node: createDefaultNode("rig"), state: "away", reason: "no route" }];
  const lines = renderFleet({ nodes, runs }, frame(80));
  t.match(lines.at(-2), /^ {2}0 {6}pair .* 30 s$/);
  t.match(lines.at(-1), /^ {2}1 {6}pair .* 30 s$/);
});

t.test("power, energy and throttled cards", async (t) => {
  const usage = { wattHours: 12.4, unitsPerWattHour: 830, cost: 0.0037, throttled: { heat: 20 } };
  const runs = [
    { label: "sieve", path: "/x", live: run({ usage, nodes: [createLiveNode("rig", { running: 1, usage })] }) },
  ];
  const samples = [
    gpu(3, { ...busy, throttled: ["heat", "power"] }),
    gpu(6, { isAsleep: true }),
    gpu(9, { ...busy, throttled: ["power"] }),
  ];
  const lines = renderFleet({ nodes: [live("rig", samples)], runs }, frame(120));
  t.equal(lines[2], "  GPUs: 12 Wh, 830 units/Wh, cost 0.0037, throttled by heat for 20 s");
  const [node, first, , third] = lines.slice(-4);
  t.equal(node, "rig  1 running, 4 done, 12 Wh, 197 W, 1 GPU throttled by heat, load 1.5, memory 4.0/16.0 GiB");
  t.match(first, / 61 °C {2}heat {2}epoch 3$/);
  t.match(third, / 61 °C$/);
  const old = [gpu(3, { ...busy, age: 40, throttled: ["heat"] })];
  t.equal(renderFleet({ nodes: [live("rig", old)], runs: [] }, frame(80)).at(-2), "rig  load 1.5, memory 4.0/16.0 GiB");
});

t.test("a lost card moves no other: runs know the addresses of their slots", async (t) => {
  const slots = [3, 6, 9].map((bus, slot) => ({ node: "rig", slot, gpu: slot, pci: `0000:0${bus}:00.0` }));
  const runs = [{ label: "sieve", path: "/x", live: run({ slots }) }];
  const watts = (samples: GpuSample[], some = runs) =>
    renderFleet({ nodes: [live("rig", samples)], runs: some }, frame(80)).flatMap(
      (line) => /^ {2}(\d) {6}.*?(\d+ W)?$/.exec(line)?.slice(1).join(" ") ?? [],
    );
  const [first, third, new_] = [3, 9, 5].map((bus) => gpu(bus, { watts: bus }));
  t.same(watts([first!, third!]), ["0 3 W", "1 ", "2 9 W"]);
  t.same(
    watts([first!, new_!, third!]),
    ["0 3 W", "1 ", "2 9 W"],
    "a card that the run does not know is not its second",
  );
  const some = [{ ...runs[0]!, live: run({ slots: slots.slice(1) }) }];
  t.same(
    watts([first!, gpu(6, { watts: 6 }), third!], some),
    ["0 3 W", "1 6 W", "2 9 W"],
    "it has no slot on the first",
  );
});

t.test("a lost card keeps its place while one watches, and its figures grow old", async (t) => {
  const before: NodeSample = { load: 1, gpus: [gpu(3, busy), gpu(6, busy)] };
  const kept = keepLostGpus({ load: 1, gpus: [gpu(6)] }, before, 20);
  t.match(kept.gpus, [
    { pci: "0000:03:00.0", age: 21 },
    { pci: "0000:06:00.0", age: 1 },
  ]);
  t.match(renderFleet({ nodes: [live("rig", kept.gpus)], runs: [] }, frame(80)).at(-2), / {2}0 {6}- +no answer$/);
});

t.test("a node's line leaves out what is less than the rest where it is too long; a drain is told once", async (t) => {
  const usage = { wattHours: 12.4, unitsPerWattHour: 830, throttled: { heat: 20 } };
  const drained = "drained (healing (reboot): sick: GPU 0000:03:00.0: sclk N/A)";
  const slots = [0, 1].map((slot) => ({ node: "rig", slot, gpu: slot, reason: `its node is ${drained}` }));
  const lines = (node: Partial<LiveNode>, columns = 80) => {
    const one = run({ usage, slots, nodes: [createLiveNode("rig", { running: 16, chunks: 1200, usage, ...node })] });
    const hot = [gpu(3, { ...busy, throttled: ["heat"] })];
    return renderFleet({ nodes: [live("rig", hot)], runs: [{ label: "s", path: "/x", live: one }] }, frame(columns));
  };
  t.equal(lines({}).at(-3), "rig  16 running, 1200 done, 12 Wh, 98 W, 1 GPU throttled by heat, load 1.5");
  const [node, row] = lines({ drained }, 160).slice(-3);
  t.match(node, /, memory 4\.0\/16\.0 GiB, drained \(healing \(reboot\): sick: GPU 0000:03:00\.0: sclk N\/A\)$/);
  t.match(row, /^ {2}0 {6}drained +99 % /);
});

t.test("every line fits into the terminal", async (t) => {
  const long = createBusySlot("rig", 0, 30_000, { chunk: "深".repeat(90), expectedSeconds: 90_000 });
  const runs = [{ label: "x".repeat(60), path: "/x", live: run({ slots: [{ ...long, gpu: 0 }] }) }];
  const nodes = [
    live("rig", [gpu(3, { ...busy, used: 80 * GIB, total: 188.4 * GIB, watts: 1234 })], { problem: "p".repeat(300) }),
  ];
  for (const columns of [60, 80, 100, 200])
    for (const line of renderFleet({ nodes, runs }, frame(columns)))
      t.ok(countColumns(line) < columns, `${columns}: ${line}`);
});

t.test("a node with two kinds of GPU: each row has the figures of its slot's card", async (t) => {
  const group = (vendor: "amd" | "nvidia", count: number): GpuGroup => {
    return { profile: { name: vendor, vendor, env: {}, kernel: {}, limits: {}, settings: {} }, count, env: {} };
  };
  const samples = [
    gpu(3, { vendor: "amd", watts: 30 }),
    gpu(6, { vendor: "amd", watts: 60 }),
    gpu(9, { vendor: "nvidia", watts: 90 }),
  ];
  const one = live("mixed", samples);
  const node = { ...one.node, gpuGroups: [group("nvidia", 2), group("amd", 2)] };
  const lines = renderFleet({ nodes: [{ ...one, node }], runs: [] }, frame(80));
  t.same(
    lines.slice(3).map((line) => line.trim().split(/\s+/)),
    [
      ["0", "-", "90", "W"],
      ["1", "-"],
      ["2", "-", "30", "W"],
      ["3", "-", "60", "W"],
    ],
  );
});
