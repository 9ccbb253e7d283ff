import t from "tap";
import { formatInventoryDraft } from "../../../fleet/discovery/inventorydraft.js";
import type { DiscoveredHost } from "../../../fleet/discovery/nodeentry.js";
import type { Facts, Gpu } from "../../../fleet/facts.js";
import { parseInventory } from "../../../fleet/inventory.js";
import { parseSource } from "../../../schemas/parsesource.js";

const facts = (hostname: string, gpus: Gpu[]): Facts => ({
  hostname,
  boot: "b",
  booted: null,
  uptime: 1,
  python: "3.11.2",
  cores: 4,
  memory: { total: 8.2e9, available: 5e9 },
  disk: null,
  kernel: "6.8",
  home: "/root",
  gpus,
  tools: {},
});
const card = (vendor: Gpu["vendor"], model: string, bus: number, vram: number): Gpu => ({
  vendor,
  model,
  pci: `0000:${bus.toString(16).padStart(2, "0")}:00.0`,
  vram,
  driver: null,
});
const rx = (bus: number) => card("amd", "Navi 23 [Radeon RX 6600/6600 XT]", bus, 8_573_157_376);

const draft = (hosts: DiscoveredHost[]) =>
  formatInventoryDraft(hosts, "/opt/muster/schemas/inventory.json", "muster init");
const parse = (text: string) => parseInventory(parseSource("inventory.yaml", text), "/x/inventory.yaml").nodes;

t.test("what it writes is an inventory with the machines, their GPUs and how they are reached", async (t) => {
  const text = draft([
    {
      request: { host: "localhost", maxConcurrent: 2 },
      facts: facts("zeus.lan", [card("nvidia", "NVIDIA GeForce RTX 3080 Ti", 1, 12 * 2 ** 30)]),
    },
    { request: { host: "10.0.0.4", user: "m", port: 2222 }, facts: facts("rig", [rx(3), rx(0x0a)]) },
    {
      request: { host: "rig2" },
      facts: facts("other", [rx(3), card("nvidia", "NVIDIA GeForce GTX 1060", 4, 2 ** 30)]),
    },
    { request: { host: "cpu" }, facts: facts("cpu", []) },
  ]);
  const [zeus, rig, rig2, cpu] = parse(text);
  t.match(zeus, {
    name: "zeus",
    connection: "local",
    maxConcurrent: 2,
    profile: { name: "rtx3080ti", vendor: "nvidia", model: "RTX 3080 Ti", vram: 12 * 2 ** 30 },
  });
  t.match(rig, {
    name: "rig",
    host: "10.0.0.4",
    user: "m",
    port: 2222,
    gpus: 2,
    pci: ["0000:03:00.0", "0000:0a:00.0"],
  });
  t.match(rig, { profile: { name: "rx6600", vram: 8 * 2 ** 30 }, env: { HSA_OVERRIDE_GFX_VERSION: "10.3.0" } });
  t.match(rig2, {
    ...{ name: "rig2", host: "rig2", gpus: 2 },
    gpuGroups: [
      { profile: { name: "rx6600" }, count: 1, pci: ["0000:03:00.0"] },
      { profile: { name: "gtx1060" }, count: 1, pci: ["0000:04:00.0"] },
    ],
  });
  t.match(cpu, { name: "cpu", gpus: undefined });
});

t.test("cards of one model and different memory have different profiles", async (t) => {
  const [a, b, c] = parse(
    draft([
      { request: { host: "a" }, facts: facts("a", [card("nvidia", "NVIDIA A100", 1, 40 * 2 ** 30)]) },
      { request: { host: "b" }, facts: facts("b", [card("nvidia", "NVIDIA A100", 1, 80 * 2 ** 30)]) },
      { request: { host: "c" }, facts: facts("c", [card("nvidia", "NVIDIA A100", 1, 80 * 2 ** 30)]) },
    ]),
  );
  t.same([a!.profile.name, b!.profile.name, c!.profile.name], ["a100", "a100-2", "a100-2"]);
});

t.test(
  "a machine that could not be asked is there with the reason, and two of the same name get two names",
  async (t) => {
    const text = draft([
      { request: { host: "10.0.0.4" }, facts: facts("rig", []) },
      { request: { host: "10.0.0.5" }, facts: facts("rig", []) },
      { request: { host: "gone", user: "m" }, reason: "it refuses connections" },
    ]);
    t.match(text, /gone: \{user: m\}\n {4}# It could not be asked: it refuses connections/);
    t.same(
      parse(text).map(({ name, host }) => [name, host]),
      [
        ["rig", "10.0.0.4"],
        ["rig-2", "10.0.0.5"],
        ["gone", "gone"],
      ],
    );
  },
);

t.test("what a hostile machine calls itself stays a value", async (t) => {
  const model = "x\", evil: {a: 1} # ' : - [y";
  const [node, ...others] = parse(
    draft([{ request: { host: "10.0.0.4" }, facts: facts("a: {b}\n  evil: 1", [card("amd", model, 1, 1e9)]) }]),
  );
  t.same(others, []);
  t.match(node!.name, /^[A-Za-z0-9_.-]+$/);
  t.equal(typeof node!.profile.model, "string");
});

t.test("kinds that PCI addresses cannot tell apart, and the graphics of processors, are not used", async (t) => {
  const nameless = (model: string): Gpu => ({ ...card("nvidia", model, 1, 2 ** 30), pci: null });
  const text = draft([
    { request: { host: "a" }, facts: facts("a", [nameless("A100"), nameless("A100"), nameless("T4"), rx(3)]) },
    { request: { host: "b" }, facts: facts("b", [card("nvidia", "T4", 1, 2 ** 30), { ...rx(3), integrated: true }]) },
  ]);
  const [a, b] = parse(text);
  t.same(
    a!.gpuGroups?.map(({ profile, count }) => [profile.name, count]),
    [
      ["a100", 2],
      ["rx6600", 1],
    ],
  );
  t.match(text, /# Not used: 1 × T4; their PCI addresses are not known\./);
  t.match(b, { gpus: 1, gpuGroups: undefined, profile: { name: "t4" } });
});
