import t from "tap";
import type { LiveRun } from "../../executor/run/record/liverun.js";
import type { GpuSample, NodeSample } from "../../fleet/gpus/gpusample.js";
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
    return { profile: { name: vendor, vendor, env: {}, kernel: {}, limits: {} }, count, env: {} };
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
