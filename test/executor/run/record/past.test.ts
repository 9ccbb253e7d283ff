import t from "tap";
import { Past } from "../../../../executor/run/record/past.js";

t.test("what is committed takes no more memory for being much, though it was not in order", async (t) => {
  const past = new Past();
  const chunks = 20_000;
  // Eight slots take turns, the last first: no chunk is followed by its neighbour.
  for (let turn = 0; turn < chunks; turn += 8)
    for (let slot = 7; slot >= 0; slot--) {
      const start = BigInt(turn + slot) * 10n;
      past.see({ e: "done", chunk: `${start}`, start: `${start}`, end: `${start + 10n}`, length: turn });
    }
  t.equal(past.chunks, chunks);
  t.same([...past.done], [[0n, BigInt(chunks) * 10n]]);
});

t.test("gaps stay gaps", async (t) => {
  const past = new Past();
  for (const [start, end] of [
    [20, 30],
    [0, 10],
    [40, 50],
    [30, 35],
  ])
    past.see({ e: "done", chunk: "", start: `${start}`, end: `${end}`, length: 0 });
  t.same(
    [...past.done],
    [
      [0n, 10n],
      [20n, 35n],
      [40n, 50n],
    ],
  );
  t.equal(past.done.size(), 35n);
});
