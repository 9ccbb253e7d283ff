import t from "tap";
import { RunReplay } from "../../../../executor/run/record/replay.js";

t.test("what is committed takes no more memory for being much, though it was not in order", async (t) => {
  const past = new RunReplay();
  const chunks = 20_000;
  // Eight slots take turns, the last first: no chunk is followed by its neighbour.
  for (let turn = 0; turn < chunks; turn += 8)
    for (let slot = 7; slot >= 0; slot--) {
      const start = BigInt(turn + slot) * 10n;
      past.apply({ e: "done", chunk: `${start}`, start: `${start}`, end: `${start + 10n}`, length: turn });
    }
  t.equal(past.committedChunks, chunks);
  t.same([...past.committedUnits], [[0n, BigInt(chunks) * 10n]]);
});

t.test("gaps stay gaps", async (t) => {
  const past = new RunReplay();
  for (const [start, end] of [
    [20, 30],
    [0, 10],
    [40, 50],
    [30, 35],
  ])
    past.apply({ e: "done", chunk: "", start: `${start}`, end: `${end}`, length: 0 });
  t.same(
    [...past.committedUnits],
    [
      [0n, 10n],
      [20n, 35n],
      [40n, 50n],
    ],
  );
  t.equal(past.committedUnits.size(), 35n);
});
