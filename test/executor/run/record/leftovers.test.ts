import t from "tap";
import { isSameNode } from "../../../../executor/run/record/leftovers.js";
import { formatAddress } from "../../../../fleet/node.js";
import { createNode } from "../../../fleet/nodes.js";

t.test("a node is recognized by its name and address in any inventory", async (t) => {
  const node = createNode({ name: "a", host: "10.0.0.1" });
  const leftover = { node: "a", inventory: "/moved.yaml" };
  t.ok(isSameNode(leftover, node), "an older journal has no addresses");
  t.ok(isSameNode({ ...leftover, address: formatAddress(node) }, node));
  t.notOk(isSameNode({ ...leftover, node: "b", address: formatAddress(node) }, node));
  for (const change of [{ host: "10.0.0.2" }, { port: 2222 }, { user: "other" }, { workdir: "/w" }])
    t.notOk(isSameNode({ ...leftover, address: formatAddress({ ...node, ...change }) }, node), JSON.stringify(change));
});
