import t from "tap";
import { selectCredibleUsage } from "../../../../executor/run/agent/cardusage.js";
import type { CardUsage } from "../../../../executor/run/agent/protocol.js";
import { isAgentMessage } from "../../../../schemas/protocolvalidators.js";

const CARD = { gpu: 0, pci: "0000:03:00.0" };
const USAGE: CardUsage = {
  pci: CARD.pci,
  samples: 3,
  seconds: 36,
  wattHours: 0.9,
  busy: { mean: 97.1, max: 100 },
  watts: { mean: 90, max: 101 },
  throttled: { heat: 10 },
  idleSeconds: 36,
};
const select = (change: object) =>
  selectCredibleUsage({ seconds: 36.2, cards: [CARD], usage: [{ ...USAGE, ...change }] })?.[0];

t.test("what can be true is kept as it is", async (t) => {
  t.same(select({}), USAGE);
  t.same(select({ throttled: {} }), { ...USAGE, throttled: {} });
  t.equal(selectCredibleUsage({ seconds: 1, cards: [CARD] }), undefined);
});

const TABLE: [what: string, change: object, without: keyof CardUsage | undefined][] = [
  ["another card", { pci: "0000:06:00.0" }, undefined],
  ["more time than it ran", { seconds: 40 }, undefined],
  ["busier than possible", { busy: { mean: 50, max: 101 } }, "busy"],
  ["a mean above the maximum", { busy: { mean: 60, max: 50 } }, "busy"],
  ["more energy than its power makes", { wattHours: 1.1 }, "wattHours"],
  ["energy without a power", { watts: undefined }, "wattHours"],
  ["idle for longer than it ran", { idleSeconds: 38 }, "idleSeconds"],
];
for (const [what, change, without] of TABLE)
  t.test(`${what} is dropped`, async (t) => {
    const kept = select(change);
    if (without === undefined) t.equal(kept, undefined);
    else {
      t.ok(kept);
      t.notOk(Object.hasOwn(kept!, without));
      t.match(kept, { samples: 3, seconds: 36 });
    }
  });

t.test("throttled time is dropped by reason, and a card counts once", async (t) => {
  t.same(select({ throttled: { heat: 99, power: 3 } })!.throttled, { power: 3 });
  const twice = selectCredibleUsage({ seconds: 36, cards: [CARD], usage: [USAGE, { ...USAGE, samples: 9 }] });
  t.match(twice, [{ samples: 3 }]);
  t.equal(twice!.length, 1);
});

t.test("what is no figure at all breaks the protocol", async (t) => {
  const done = {
    ...{ ev: "done", id: `${"0".repeat(16)}-0-${"0".repeat(16)}`, chunk: "c", slot: 0, exit: 0, signal: null },
    ...{
      timeout: false,
      cancelled: false,
      seconds: 1,
      outputs: [],
      missing: [],
      stdout: { size: 0 },
      stderr: { size: 0 },
    },
    tail: "",
  };
  t.ok(isAgentMessage({ ...done, usage: [USAGE] }));
  for (const bad of [
    { pci: "\u001b[2J" },
    { samples: 0 },
    { seconds: -1 },
    { wattHours: "1" },
    { watts: 90 },
    { watts: { mean: 1e300, max: 1 } },
    { throttled: { heat: null } },
  ])
    t.notOk(isAgentMessage({ ...done, usage: [{ ...USAGE, ...bad }] }), JSON.stringify(bad));
});
