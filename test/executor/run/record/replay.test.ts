import t from "tap";
import type { JournalEntry } from "../../../../executor/run/record/journalentry.js";
import { RunReplay } from "../../../../executor/run/record/replay.js";

t.test("committed units take little memory, even out of order", async (t) => {
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

t.test("gaps between committed units are kept", async (t) => {
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

const given = (nodes: string[], inventory = "/i.yaml"): JournalEntry => ({ e: "nodes", nodes, inventory });
const closed = (state: Extract<JournalEntry, { e: "close" }>["state"], left?: string[]): JournalEntry => ({
  e: "close",
  state,
  leftovers: left?.map((node) => ({ node, inventory: "/i.yaml" })),
});

const HISTORIES: [string, JournalEntry[], string[]][] = [
  ["a coordinator that was killed says nothing of its nodes", [given(["a", "b"])], ["a", "b"]],
  ["those that are clean at the end are not listed", [given(["a", "b"]), closed("complete", ["b"])], ["b"]],
  ["nor those that an interrupted session did not reach", [given(["a", "b"]), closed("interrupted", ["a"])], ["a"]],
  ["a next session adds to them", [given(["a"]), closed("interrupted", ["a"]), given(["b"])], ["a", "b"]],
  ["they can be cleaned later", [given(["a"]), closed("complete", ["a"]), closed("complete", [])], []],
  ["one name in two inventories is two nodes", [given(["a"]), given(["a"], "/other.yaml")], ["a", "a"]],
  ["an older muster stopped all nodes at the end, as far as it says", [given(["a"]), closed("complete")], []],
  ["and kept them where it was interrupted", [given(["a"]), closed("interrupted")], ["a"]],
];

t.test("the journal tells which nodes may hold data of a run", async (t) => {
  for (const [what, entries, wanted] of HISTORIES) {
    const replay = new RunReplay();
    for (const entry of entries) replay.apply(entry);
    t.same(
      replay.leftovers.map(({ node }) => node),
      wanted,
      what,
    );
  }
});
