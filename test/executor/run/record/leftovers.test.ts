import t from "tap";
import type { JournalEntry } from "../../../../executor/run/record/journal.js";
import { isSameNode, Leftovers } from "../../../../executor/run/record/leftovers.js";
import { addressOf } from "../../../../fleet/node.js";
import { someNode } from "../../../fleet/node.js";

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

t.test("which nodes may hold something of a run is in its journal", async (t) => {
  for (const [what, entries, wanted] of HISTORIES) {
    const leftovers = new Leftovers();
    for (const entry of entries) leftovers.apply(entry);
    t.same(
      leftovers.list.map(({ node }) => node),
      wanted,
      what,
    );
  }
});

t.test("a node is known again by its name and address, in whatever inventory", async (t) => {
  const node = someNode({ name: "a", host: "10.0.0.1" });
  const leftover = { node: "a", inventory: "/moved.yaml" };
  t.ok(isSameNode(leftover, node), "an older journal has no addresses");
  t.ok(isSameNode({ ...leftover, address: addressOf(node) }, node));
  t.notOk(isSameNode({ ...leftover, node: "b", address: addressOf(node) }, node));
  for (const change of [{ host: "10.0.0.2" }, { port: 2222 }, { user: "other" }, { workdir: "/w" }])
    t.notOk(isSameNode({ ...leftover, address: addressOf({ ...node, ...change }) }, node), JSON.stringify(change));
});
