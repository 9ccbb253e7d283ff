import t from "tap";
import type { Measurement } from "../../../executor/bench/measurement.js";
import { findWrongCards } from "../../../executor/bench/wrongcards.js";
import { createCard, createPass } from "./benchsamples.js";

type Results = (string | Partial<Measurement>)[];

/** Each card has one list of results. */
function judge(all: Results[], known?: string, kinds: string[] = []) {
  const cards = all.map((results, index) =>
    createCard(
      `a:${index}`,
      results.map((one) => createPass(1, typeof one === "string" ? { digest: one } : one)),
      kinds[index],
    ),
  );
  const { wrong, undecided } = findWrongCards(cards, known);
  return [
    ...wrong.map(({ card, reason }) => `${card.slot}: ${reason}`),
    ...undecided.map((some) => `undecided: ${some.map(({ slot }) => slot).join(" ")}`),
  ];
}

const BATCHES = { digest: "x", batches: 40 };

t.test("results -> which cards compute wrongly", async (t) => {
  const table: [what: string, results: Results[], known: string | undefined, found: string[]][] = [
    ["all equal", [["x"], ["x"], ["x"]], undefined, []],
    ["one of three", [["x"], ["y"], ["x"]], undefined, ["1: 1 of 1 results is not what most cards of its kind have"]],
    ["two differ", [["x"], ["y"]], undefined, ["undecided: 0 1"]],
    ["two and two", [["x"], ["x"], ["y"], ["y"]], undefined, ["undecided: 0 1 2 3"]],
    ["all differ", [["x"], ["y"], ["z"]], undefined, ["undecided: 0 1 2"]],
    [
      "now and then",
      [["x", "x"], ["x", "y", "x"], ["x"]],
      undefined,
      ["1: 1 of 3 results is not what most cards of its kind have"],
    ],
    [
      "one card alone, and it differs from itself",
      [["x", "y", "x"]],
      undefined,
      ["0: 1 of 3 results is not what most cards of its kind have"],
    ],
    ["one card without a result", [["x"], ["x"], []], undefined, []],
    ["a known result needs no majority", [["y"]], "x", ["0: 1 of 1 results is not what it must be"]],
    [
      "all cards wrong",
      [["y"], ["y"], ["y"]],
      "x",
      [0, 1, 2].map((n) => `${n}: 1 of 1 results is not what it must be`),
    ],
    [
      "batches",
      [[{ ...BATCHES, wrongBatches: 0 }], [{ ...BATCHES, wrongBatches: 2 }]],
      "x",
      ["1: 2 of 40 batches differ from its own first one"],
    ],
    ["the processor is no card", [[{ digest: "y", notTheCard: "no OpenCL" }]], "x", []],
    ["nothing measured", [], undefined, []],
  ];
  for (const [what, results, known, found] of table) t.same(judge(results, known), found, what);
});

t.test("cards of different kinds may round differently, but not in the built-in load", async (t) => {
  const kinds = ["RX 6600", "RX 6600", "RX 6600", "RTX 3080 Ti", "RTX 3080 Ti"];
  const results = [["x"], ["x"], ["z"], ["y"], ["y"]];
  t.same(judge(results, undefined, kinds), ["2: 1 of 1 results is not what most cards of its kind have"]);
  t.equal(judge(results, "x", kinds).length, 3);
});
