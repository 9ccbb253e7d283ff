import t from "tap";
import { addNode, parseGrowingInventory } from "../../../fleet/bootstrap/addnode.js";
import type { Facts } from "../../../fleet/facts.js";
import { parseInventory } from "../../../fleet/inventory.js";
import { parseSource } from "../../../schemas/parsesource.js";
import { appendYamlPair } from "../../../schemas/yamlappend.js";

const gpu = { vendor: "amd", model: "Radeon RX 6600", pci: "0000:03:00.0", vram: 8 * 2 ** 30, driver: null } as const;
const facts: Facts = {
  hostname: "rig1",
  boot: "b",
  booted: 0,
  uptime: 1,
  python: "3.11.2",
  cores: 2,
  memory: { total: 16 * 2 ** 30, available: 1 },
  disk: null,
  kernel: "6",
  home: "/root",
  gpus: [gpu],
  tools: {},
};
const host = { request: { host: "10.0.0.4", user: "me" }, facts };

t.test("a node is added, and every other byte stays", async (t) => {
  const table: [what: string, before: string, added: string][] = [
    ["block, with comments", "# top\nnodes:\n  a: {host: x}  # a\n    # of a\n# end\nplaybooks: [gpu]\n", ""],
    ["a node of several lines", "nodes:\n  a:\n    host: x\n\n\nplaybooks: [gpu]\n", ""],
    ["no line break at the end", "nodes:\n    a: {}", ""],
    ["CRLF", "nodes:\r\n  a: {}\r\n", ""],
    [
      "a profile of that kind",
      "profiles:\n  mine: {vendor: amd, model: RX 6600, vram: 8GiB}\nnodes:\n  a: {}\n",
      "mine",
    ],
    ["flow", "nodes: {a: {host: x}} # all\n", ""],
    ["flow, with profiles", "profiles: {p: {vendor: nvidia}}\nnodes: {a: {host: x}}\n", ""],
  ];
  for (const [what, before, profile] of table) {
    const after = addNode(before, "inventory.yaml", "rig1", host);
    const { nodes } = parseInventory(parseSource("inventory.yaml", after), "/x/inventory.yaml");
    const wanted = { name: "rig1", host: "10.0.0.4", user: "me", gpus: 1, profile: { name: profile || "rx6600" } };
    t.match(nodes.at(-1), wanted, what);
    t.equal(
      nodes.find(({ name }) => name === "a")?.host,
      parseInventory(parseSource("i", before), "/x/i").nodes[0]?.host,
    );
    const kept = before.split(/(?<=\n)/).filter((line) => !/^nodes: \{|^profiles: \{/.test(line));
    let at = 0;
    for (const line of kept) {
      const found = after.indexOf(line.trimEnd(), at);
      t.ok(found >= at, `${what}: ${JSON.stringify(line)}`);
      at = found;
    }
    t.equal(after.includes("\r\n"), before.includes("\r\n"));
    if (before.includes("\r\n")) t.notMatch(after, /[^\r]\n/);
  }
});

t.test("a text that cannot be edited is refused with the lines to add", async (t) => {
  const anchored = "defaults: &d {user: a}\nnodes: *n\n";
  t.match(appendYamlPair(anchored, ["nodes"], { key: "b", flow: "b: {}", block: ["b: {}"] }), { problem: /./ });
  t.match(appendYamlPair("nodes:\n  b: {}\n", ["nodes"], { key: "b", flow: "b: {}", block: ["b: {}"] }), {
    problem: "has b at nodes already",
  });
  const text = "x: &n {a: {}}\nnodes: *n\n";
  t.match(appendYamlPair(text, ["nodes"], { key: "b", flow: "b: {}", block: ["b: {}"] }), {
    problem: "has no mapping at nodes",
  });
});

t.test("a state can be declared before there is a node", async (t) => {
  for (const before of [
    "playbooks: [gpu]\n",
    "playbooks: [gpu]\nnodes: {}   # none yet\n",
    "nodes: {}\nplaybooks: [gpu]",
  ]) {
    const empty = parseGrowingInventory(parseSource("inventory.yaml", before), "/x/inventory.yaml");
    t.match(empty, { nodes: [], playbooks: ["gpu"], file: "/x/inventory.yaml" });
    const after = addNode(before, "inventory.yaml", "rig1", host);
    const { nodes, playbooks } = parseInventory(parseSource("inventory.yaml", after), "/x/inventory.yaml");
    t.same([nodes.map(({ name }) => name), playbooks], [["rig1"], ["gpu"]], before);
    t.ok(after.includes("playbooks: [gpu]"));
    t.equal(after.includes("# none yet"), before.includes("# none yet"));
  }
  const refuse = (text: string, message: RegExp) =>
    t.throws(() => parseGrowingInventory(parseSource("i.yaml", text), "/x/i.yaml"), message);
  refuse("playbook: [gpu]\n", /i\.yaml:1:1: .*unknown key.*playbook/s);
  refuse("- a\n", /must be a mapping/);
});
