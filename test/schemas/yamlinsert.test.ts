import t from "tap";
import { setYamlKey } from "../../schemas/yamlinsert.js";

const set = (text: string, value = "80W", key = "power") => setYamlKey(text, ["profiles", "rx"], key, value);

t.test("a key is set, and all other bytes stay", async (t) => {
  const table: [what: string, before: string, after: string][] = [
    [
      "block",
      "profiles:\n  rx:\n    vendor: amd\nnodes: {}\n",
      "profiles:\n  rx:\n    vendor: amd\n    power: 80W\nnodes: {}\n",
    ],
    [
      "behind a comment",
      "profiles:\n  rx:\n    vram: 8GiB   # of each\n# end\n",
      "profiles:\n  rx:\n    vram: 8GiB   # of each\n    power: 80W\n# end\n",
    ],
    [
      "not into a mapping below",
      "profiles:\n  rx:\n    vram: 8GiB\n    env:\n      A: b\n",
      "profiles:\n  rx:\n    vram: 8GiB\n    power: 80W\n    env:\n      A: b\n",
    ],
    [
      "only a mapping below",
      "profiles:\n  rx:\n    env:\n      A: b\n",
      "profiles:\n  rx:\n    power: 80W\n    env:\n      A: b\n",
    ],
    [
      "after a flow mapping",
      "profiles:\n  rx:\n    env: {A: b}\n",
      "profiles:\n  rx:\n    env: {A: b}\n    power: 80W\n",
    ],
    [
      "flow",
      "profiles:\n  rx: {vendor: amd, vram: 8GiB}  # x\n",
      "profiles:\n  rx: {vendor: amd, vram: 8GiB, power: 80W}  # x\n",
    ],
    ["empty flow", "profiles: {rx: {}}\n", "profiles: {rx: {power: 80W}}\n"],
    [
      "flow over lines",
      "profiles:\n  rx: {\n    vendor: amd,\n  }\n",
      "profiles:\n  rx: {\n    vendor: amd, power: 80W,\n  }\n",
    ],
    [
      "replace",
      "profiles:\n  rx:\n    power: 100W # old\n    vram: 8GiB\n",
      "profiles:\n  rx:\n    power: 80W # old\n    vram: 8GiB\n",
    ],
    ["replace a quoted one", 'profiles: {rx: {power: "100W"}}\n', "profiles: {rx: {power: 80W}}\n"],
    [
      "no line break at the end",
      "profiles:\n  rx:\n    vram: 8GiB",
      "profiles:\n  rx:\n    vram: 8GiB\n    power: 80W",
    ],
    ["CRLF", "profiles:\r\n  rx:\r\n    vram: 8GiB\r\n", "profiles:\r\n  rx:\r\n    vram: 8GiB\r\n    power: 80W\r\n"],
    [
      "after a folded text",
      "profiles:\n  rx:\n    model: >\n      RX\n      6600\n    vram: 8GiB\n",
      "profiles:\n  rx:\n    model: >\n      RX\n      6600\n    vram: 8GiB\n    power: 80W\n",
    ],
    ["an anchor", "profiles:\n  rx: &a\n    vram: 8GiB\n", "profiles:\n  rx: &a\n    vram: 8GiB\n    power: 80W\n"],
    ["JSON", '{"profiles": {"rx": {"vram": "8GiB"}}}', '{"profiles": {"rx": {"vram": "8GiB", power: 80W}}}'],
  ];
  for (const [what, before, after] of table) t.same(set(before), { text: after }, what);
});

t.test("what cannot be edited is said", async (t) => {
  const table: [before: string, problem: RegExp][] = [
    ["profiles:\n  base: &a {vram: 8GiB}\n  rx: *a\n", /has the alias \*a at profiles\.rx/],
    ["profiles:\n  rx:\n", /has no mapping at profiles\.rx/],
    ["profiles: {}\n", /has no mapping at profiles\.rx/],
    ["profiles:\n  rx: [1]\n", /has no mapping/],
    ["profiles:\n  base: &a 100W\n  rx: {power: *a}\n", /has the alias \*a at profiles\.rx\.power/],
    ["profiles: {rx: {\n", /cannot be parsed as YAML/],
  ];
  for (const [before, problem] of table) t.match(set(before), { problem }, before);
});
