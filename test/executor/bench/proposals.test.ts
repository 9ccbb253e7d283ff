import t from "tap";
import { type CapFigures, chooseCap, type DescribedCards, proposeLines } from "../../../executor/bench/proposals.js";
import { createCard, createPass } from "./benchsamples.js";

const PATH = ["profiles", "rx6600"];

t.test("power limits -> the one that is proposed", async (t) => {
  const table: [
    what: string,
    caps: [watts: number, rate: number, drawnWatts?: number][],
    chosen: number | undefined,
  ][] = [
    ["none", [], undefined],
    ["one cannot be compared", [[80, 100, 80]], undefined],
    [
      "the most work per Wh",
      [
        [80, 95, 78],
        [100, 100, 97],
      ],
      80,
    ],
    [
      "too slow",
      [
        [60, 80, 58],
        [80, 95, 78],
        [100, 100, 97],
      ],
      80,
    ],
    [
      "just fast enough",
      [
        [60, 90, 58],
        [100, 100, 97],
      ],
      60,
    ],
    [
      "the card does not draw more anyway: the lowest",
      [
        [100, 100, 90],
        [120, 101, 90],
      ],
      100,
    ],
    [
      "a better high limit",
      [
        [80, 91, 80],
        [100, 100, 81],
      ],
      100,
    ],
    [
      "power was not measured",
      [
        [80, 95],
        [100, 100],
      ],
      undefined,
    ],
    [
      "of one, it was",
      [
        [80, 95],
        [100, 100, 97],
      ],
      100,
    ],
  ];
  for (const [what, caps, chosen] of table) {
    const figures = caps.map(
      ([watts, rate, drawnWatts]): CapFigures => ({
        watts,
        rate,
        ...(drawnWatts === undefined ? {} : { drawnWatts }),
      }),
    );
    t.equal(chooseCap(figures)?.watts, chosen, what);
  }
});

t.test("rates -> the line that is proposed", async (t) => {
  const propose = (rates: (number | undefined)[], rate: number | undefined, areUnits: boolean) => {
    const cards = rates.map((one, index) => createCard(`a:${index}`, [createPass(one)]));
    const group: DescribedCards = { path: PATH, cards, ...(rate === undefined ? {} : { rate }) };
    return proposeLines([group], areUnits).map(({ key, value, have }) => `${key}: ${have ?? "-"} -> ${value}`);
  };
  t.same(propose([4812.3, 4900, 5100], undefined, true), ["rate: - -> 4900"]);
  t.same(propose([4812.3, 4900, 5100], 5000, true), [], "close enough");
  t.same(propose([4812.3, 4900, 5100], 6000, true), ["rate: 6000 -> 4900"]);
  t.same(propose([4812.3, 4900], 6000, false), [], "rates in other units replace none");
  t.same(propose([212_345], undefined, false), ["rate: - -> 212000"]);
  t.same(propose([0.0123456], undefined, true), ["rate: - -> 0.0123"]);
  t.same(propose([undefined], undefined, true), [], "nothing measured");
});

t.test("the limit that the inventory has is not proposed again", async (t) => {
  const passes = [
    createPass(95, { watts: { mean: 78, max: 80 } }, 80),
    createPass(100, { watts: { mean: 97, max: 99 } }, 100),
  ];
  const propose = (more: object) => proposeLines([{ path: PATH, cards: [createCard("a:0", passes)], ...more }], true);
  t.match(propose({}), [{ key: "power", value: "80W" }]);
  t.match(propose({ powerWatts: 100 }), [{ key: "power", value: "80W", have: "100W" }]);
  t.same(propose({ powerWatts: 80 }), []);
});
