import t from "tap";
import { parseSample } from "../../../fleet/gpus/gpusample.js";

const GPU = { pci: "0000:03:00.0", age: 0.2, busy: 98, used: 1, total: 2, watts: 98.5, celsius: 61, mhz: 2300 };
const line = (change: object) => JSON.stringify({ ev: "sample", load: 1.5, memory: null, gpus: [GPU], ...change });

t.test("what a node sends", async (t) => {
  t.same(parseSample(line({ memory: { total: 8, available: 4, more: 1 }, problem: "no devices" })), {
    load: 1.5,
    memory: { total: 8, available: 4 },
    gpus: [{ ...GPU, isAsleep: false }],
    problem: "no devices",
  });
  const asleep = { pci: "0000:01:00.0", age: 1, asleep: true };
  t.same(parseSample(line({ gpus: [GPU, asleep] }))!.gpus, [
    { pci: "0000:01:00.0", age: 1, isAsleep: true },
    { ...GPU, isAsleep: false },
  ]);
});

const TABLE: [what: string, change: object, expected: object | undefined][] = [
  ["another message", { ev: "begin" }, undefined],
  ["no load", { load: "1.5" }, undefined],
  ["no list of GPUs", { gpus: { 0: GPU } }, undefined],
  ["a GPU without an address", { gpus: [{ ...GPU, pci: "\u001b[2J" }, GPU, 7, null] }, { gpus: [{ pci: GPU.pci }] }],
  ["a negative age", { gpus: [{ ...GPU, age: -1 }] }, { gpus: [] }],
  ["figures that are none", { gpus: [{ ...GPU, watts: "98", celsius: null, busy: -3 }] }, { gpus: [{ used: 1 }] }],
  [
    "reasons that are none",
    { gpus: [{ ...GPU, throttled: ["heat", "\u001b[2J", 7] }] },
    { gpus: [{ throttled: ["heat"] }] },
  ],
  ["a long problem", { problem: "x".repeat(1000) }, { problem: "x".repeat(300) }],
  ["memory without a size", { memory: { total: 8 } }, { load: 1.5 }],
];
for (const [what, change, expected] of TABLE)
  t.test(what, async (t) => {
    const sample = parseSample(line(change));
    if (expected === undefined) t.equal(sample, undefined);
    else t.match(sample, expected);
  });

t.test("figures that are none are left out", async (t) => {
  const [gpu] = parseSample(line({ gpus: [{ ...GPU, watts: "98", celsius: null, busy: -3 }] }))!.gpus;
  t.same(Object.keys(gpu!), ["pci", "age", "isAsleep", "used", "mhz", "total"]);
  t.equal(parseSample("Welcome to rig"), undefined);
  t.equal(parseSample(line({ gpus: Array(1000).fill(GPU) }))!.gpus.length, 64);
});
