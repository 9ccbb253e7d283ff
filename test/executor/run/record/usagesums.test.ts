import t from "tap";
import { UsageSums } from "../../../../executor/run/record/usagesums.js";

const [A, B] = ["0000:03:00.0", "0000:06:00.0"];
const figures = { samples: 2, seconds: 10, wattHours: 0.5, watts: { mean: 180, max: 200 } };

t.test("sums by card, node and run", async (t) => {
  const sums = new UsageSums();
  sums.add({ node: "rig", units: 100n, seconds: 10, cards: [{ pci: A, model: "X" }], usage: [{ pci: A, ...figures }] });
  sums.add({
    node: "rig",
    units: 300n,
    seconds: 30,
    cards: [{ pci: A }, { pci: B }],
    usage: [
      { pci: A, ...figures, seconds: 30, watts: { mean: 100, max: 300 }, throttled: { heat: 5 }, idleSeconds: 20 },
      { pci: B, ...figures, seconds: 30, wattHours: 1 },
    ],
  });
  sums.add({
    node: "zeus",
    units: 60n,
    seconds: 10,
    cards: [{ pci: A }],
    usage: [{ pci: A, ...figures, wattHours: 1 }],
  });
  const used = sums.summarize((node) => (node === "rig" ? 0.3 : undefined))!;
  t.match(used, {
    results: 3,
    seconds: 80,
    computedSeconds: 80,
    wattHours: 3,
    idleSeconds: 20,
    throttled: { heat: 5 },
  });
  t.equal(used.unitsPerWattHour, Number((460 / 3).toPrecision(6)));
  t.equal(used.cost, 0.0006);
  t.match(used.watts, { mean: 150, max: 300 }, "weighted with time");
  const [rig, zeus] = used.nodes;
  t.match(rig, { node: "rig", price: 0.3, wattHours: 2, unitsPerWattHour: 200, cost: 0.0006, results: 2 });
  t.notOk(Object.hasOwn(zeus!, "cost"));
  t.match(rig!.cards, [
    { pci: A, model: "X", wattHours: 1, unitsPerWattHour: 250, computedSeconds: 40 },
    { pci: B, wattHours: 1, unitsPerWattHour: 150, computedSeconds: 30 },
  ]);
});

t.test("results without samples count only as time", async (t) => {
  const sums = new UsageSums();
  sums.add({ node: "rig", units: 1n, seconds: 5, cards: [{ pci: A }] });
  sums.add({ node: "cpu", units: 1n, seconds: 5 });
  t.equal(
    sums.summarize(() => 1),
    undefined,
  );
  sums.add({ node: "rig", units: 1n, seconds: 15, cards: [{ pci: A }], usage: [{ pci: A, samples: 1, seconds: 15 }] });
  const used = sums.summarize(() => 1)!;
  t.same(
    used.nodes.map(({ node }) => node),
    ["rig"],
  );
  t.match(used, { results: 1, seconds: 15, computedSeconds: 20 });
  for (const key of ["wattHours", "unitsPerWattHour", "cost", "throttled", "idleSeconds"])
    t.notOk(Object.hasOwn(used, key), key);
});

t.test("chunks that share a card share its time", async (t) => {
  const sums = new UsageSums();
  const half = { ...figures, share: 0.5, throttled: { heat: 8 }, idleSeconds: 6 };
  for (const _ of [1, 2])
    sums.add({ node: "rig", units: 5n, seconds: 12, cards: [{ pci: A }], usage: [{ pci: A, ...half }] });
  const used = sums.summarize(() => undefined)!;
  t.match(used, { results: 2, seconds: 10, computedSeconds: 12, wattHours: 1, throttled: { heat: 8 }, idleSeconds: 6 });
});

t.test("a chunk whose energy is known in part makes no units for each Wh", async (t) => {
  const sums = new UsageSums();
  const usage = [{ pci: A, ...figures }];
  sums.add({ node: "rig", units: 5n, seconds: 10, cards: [{ pci: A }, { pci: B }], usage });
  const used = sums.summarize(() => undefined)!;
  t.equal(used.wattHours, 0.5);
  t.equal(used.unitsPerWattHour, undefined);
});

t.test("a node that names ever new cards costs no memory", async (t) => {
  const sums = new UsageSums();
  for (let card = 0; card < 1000; card++) {
    const pci = `${card.toString(16).padStart(4, "0")}:00:00.0`;
    sums.add({ node: "rig", units: 1n, seconds: 10, cards: [{ pci }], usage: [{ pci, ...figures }] });
  }
  t.equal(sums.summarize(() => undefined)!.nodes[0]!.cards.length, 256);
});
