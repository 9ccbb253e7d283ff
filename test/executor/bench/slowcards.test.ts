import t from "tap";
import { findSlowCards } from "../../../executor/bench/slowcards.js";
import { createCard, createPass } from "./benchsamples.js";

t.test("rates -> which cards are slow beside their like", async (t) => {
  const table: [what: string, rates: (number | undefined)[], slow: string[]][] = [
    ["two alike say nothing", [100, 50], []],
    ["three alike", [100, 101, 89], ["a:2 89 of 100, 3 alike"]],
    ["a tenth less is not slow", [100, 101, 90], []],
    ["a card without a rate does not count", [100, 50, undefined], []],
    ["one fast card makes no other slow", [100, 101, 99, 180], []],
    ["most of them slow: the median is theirs", [100, 60, 61, 60], []],
    ["several", [100, 100, 100, 50, 70], ["a:3 50 of 100, 5 alike", "a:4 70 of 100, 5 alike"]],
    ["all stand still", [0, 0, 0], []],
  ];
  for (const [what, rates, slow] of table) {
    const cards = rates.map((rate, index) => createCard(`a:${index}`, [createPass(rate)]));
    const found = findSlowCards(cards).map(
      ({ card, rate, median, alike }) => `${card.node}:${card.slot} ${rate} of ${median}, ${alike} alike`,
    );
    t.same(found, slow, what);
  }
});

t.test("only cards of the same kind are compared, across nodes", async (t) => {
  const names = ["a:0", "b:0", "c:0"];
  const slow = names.map((name, index) => createCard(name, [createPass(index === 2 ? 40 : 50)]));
  const fast = names.map((name) => createCard(name, [createPass(300)], "RTX 3080 Ti"));
  t.same(
    findSlowCards([...slow, ...fast]).map(({ card }) => card),
    [slow[2]],
  );
});

t.test("slow alone and at full load is said once; slow at full load alone is said, too", async (t) => {
  const rates: [alone: number, together: number][] = [
    [100, 100],
    [100, 100],
    [50, 50],
    [100, 80],
  ];
  const cards = rates.map(([alone, together], index) =>
    createCard(`a:${index}`, [{ ...createPass(alone), order: "alone" }, createPass(together)]),
  );
  t.same(
    findSlowCards(cards).map(({ card, order }) => [card.slot, order]),
    [
      [2, "alone"],
      [3, "together"],
    ],
  );
});

t.test("what the processor computed counts for no card", async (t) => {
  const cards = [100, 100, 10].map((rate, index) =>
    createCard(`a:${index}`, [createPass(rate, { notTheCard: "no OpenCL" })]),
  );
  t.same(findSlowCards(cards), []);
});
