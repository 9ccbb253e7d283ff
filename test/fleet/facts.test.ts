import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { type Facts, parseFacts } from "../../fleet/facts.js";
import { factsSource } from "../../templates/nodeprograms.js";
import { projectRoot } from "../../templates/programfolder.js";

const templates = join(projectRoot(), "templates");
const RX6600 = "Navi 23 [Radeon RX 6600/6600 XT/6600M]";

/** Evaluates an expression over facts.py with `given` as its argument. */
function ask(expression: string, given: unknown): unknown {
  const code = `import sys, json; sys.path.insert(0, sys.argv[1]); import facts; given = json.load(sys.stdin); print(json.dumps(${expression}))`;
  return JSON.parse(
    execFileSync("python3", ["-B", "-c", code, templates], { input: JSON.stringify(given), encoding: "utf8" }),
  );
}

const amd6 = [
  {
    gpu: 0,
    asic: { market_name: RX6600, vendor_id: "0x1002", device_id: "0x73ff" },
    bus: { bdf: "0000:03:00.0", max_pcie_width: 16 },
    driver: { name: "amdgpu", version: "6.12.12" },
    vram: { type: "GDDR6", size: { value: 8176, unit: "MB" } },
  },
];
const card = { vendor: "amd", model: RX6600, pci: "0000:03:00.0", vram: 8176 * 2 ** 20, driver: "6.12.12" };
const rocm = (names: [string, string, string]) => ({
  card1: { "PCI Bus": "0000:0A:00.0", [names[0]]: RX6600, [names[1]]: "0x73ff", "VRAM Total Memory (B)": "8573157376" },
  card0: { "PCI Bus": "0000:03:00.0", [names[0]]: RX6600, [names[1]]: "0x73ff", "VRAM Total Memory (B)": "8573157376" },
  system: { [names[2]]: "6.12.12" },
});
const two = [
  { ...card, vram: 8573157376 },
  { ...card, vram: 8573157376, pci: "0000:0a:00.0" },
];
const unknown = { vendor: "amd", model: null, pci: null, vram: null, driver: null };
const nvidia = {
  vendor: "nvidia",
  model: "NVIDIA GeForce RTX 3080 Ti",
  pci: "0000:03:00.0",
  vram: 12288 * 2 ** 20,
  driver: "550.144.03",
};

const formats: [name: string, tool: string, code: number, out: string, err: string, expected: unknown][] = [
  ["amd-smi, ROCm 6: a list", "amd-smi", 0, JSON.stringify(amd6, null, 4), "", { gpus: [card] }],
  ["amd-smi, ROCm 7: gpu_data", "amd-smi", 0, JSON.stringify({ gpu_data: amd6 }), "", { gpus: [card] }],
  [
    "amd-smi, early: size as text",
    "amd-smi",
    0,
    JSON.stringify([{ ...amd6[0], vram: { size: "8176 MB" } }]),
    "",
    { gpus: [card] },
  ],
  [
    "amd-smi, early: size in MB",
    "amd-smi",
    0,
    JSON.stringify([{ ...amd6[0], vram: { vram_size_mb: 8176 } }]),
    "",
    { gpus: [card] },
  ],
  [
    "amd-smi: N/A everywhere",
    "amd-smi",
    0,
    JSON.stringify([
      { gpu: 0, asic: { market_name: "N/A" }, bus: "N/A", driver: { version: "N/A" }, vram: { size: "N/A" } },
    ]),
    "",
    { gpus: [unknown] },
  ],
  [
    "amd-smi: a warning first",
    "amd-smi",
    0,
    `WARNING: user is not in {render}\n${JSON.stringify(amd6)}`,
    "",
    { gpus: [card] },
  ],
  [
    "rocm-smi, ROCm 5",
    "rocm-smi",
    0,
    JSON.stringify(rocm(["Card series", "Card model", "Driver version"])),
    "",
    { gpus: two },
  ],
  [
    "rocm-smi, ROCm 6",
    "rocm-smi",
    0,
    JSON.stringify(rocm(["Card Series", "Card Model", "Driver version"])),
    "",
    { gpus: two },
  ],
  [
    "rocm-smi: device name where the series is N/A",
    "rocm-smi",
    0,
    JSON.stringify({
      card0: { "Card Series": "N/A", "Device Name": "Phoenix3", "PCI Bus": "N/A", "VRAM Total Memory (B)": "N/A" },
    }),
    "",
    { gpus: [{ ...unknown, model: "Phoenix3" }] },
  ],
  [
    "rocm-smi without cards",
    "rocm-smi",
    0,
    "WARNING: No JSON data to report",
    "",
    { error: "printed no JSON: WARNING: No JSON data to report" },
  ],
  [
    "rocm-smi failing",
    "rocm-smi",
    1,
    "",
    "x\nERROR:root:Driver not initialized\n",
    { error: "exit 1: ERROR:root:Driver not initialized" },
  ],
  [
    "nvidia-smi",
    "nvidia-smi",
    0,
    "NVIDIA GeForce RTX 3080 Ti, 00000000:03:00.0, 12288, 550.144.03\nA, B, 00000001:0A:00.0, [N/A], [Unknown Error]\n",
    "",
    { gpus: [nvidia, { vendor: "nvidia", model: "A,B", pci: "0001:0a:00.0", vram: null, driver: null }] },
  ],
  [
    "nvidia-smi without a driver",
    "nvidia-smi",
    9,
    "NVIDIA-SMI has failed because\n",
    "",
    { error: "exit 9: NVIDIA-SMI has failed because" },
  ],
  [
    "nvidia-smi, no devices",
    "nvidia-smi",
    0,
    "No devices were found\n",
    "",
    { error: "names no GPU: No devices were found" },
  ],
];

t.test("reads what each release of each tool prints", async (t) => {
  const answers = ask(
    "[facts.understand(*one) for one in given]",
    formats.map(([, ...rest]) => rest.slice(0, 4)),
  ) as unknown[];
  for (const [index, [name, , , , , expected]] of formats.entries()) t.same(answers[index], expected, name);
});

t.test("completes the tools' reports with sysfs", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "facts-"));
  t.teardown(() => rmSync(root, { recursive: true }));
  const put = (name: string, files: Record<string, string>) => {
    mkdirSync(join(root, "class/drm", name, "device"), { recursive: true });
    for (const [file, text] of Object.entries(files))
      writeFileSync(join(root, "class/drm", name, "device", file), `${text}\n`);
  };
  put("card0", { vendor: "0x8086", device: "0x1" });
  put("card1", {
    vendor: "0x1002",
    device: "0x73ff",
    uevent: "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:03:00.0",
    mem_info_vram_total: "8573157376",
  });
  put("card2", { vendor: "0x10de", device: "0x2208", uevent: "PCI_SLOT_NAME=0000:06:00.0" });
  put("card1-DP-1", { vendor: "0x1002" });
  const seen = ask("facts.sysfs_gpus(given)", root);
  const amd = { ...unknown, model: "PCI device 0x73ff", pci: "0000:03:00.0", vram: 8573157376 };
  t.same(seen, [amd, { ...unknown, vendor: "nvidia", model: "PCI device 0x2208", pci: "0000:06:00.0" }]);
  const merged = ask("facts.merge(*given)", [[{ ...card, vram: null }], seen]) as unknown[];
  t.same(merged[0], { ...card, vram: 8573157376 });
  t.match(merged[1], { vendor: "nvidia" }, "a card that no tool names is not lost");
});

/** Runs facts.py as a node would, with the lab's fake tools in PATH. */
function factsWith(t: Tap, tools: string[], setup: object): Facts | undefined {
  const folder = mkdtempSync(join(tmpdir(), "facts-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const fakes = join(templates, "..", "test", "lab", "fakes");
  for (const name of ["fake_gpus.py", "nvidia_settings.py", ...tools]) {
    copyFileSync(join(fakes, name), join(folder, name));
    chmodSync(join(folder, name), 0o755);
  }
  writeFileSync(join(folder, "setup.json"), JSON.stringify(setup));
  const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: "/root", LAB_GPUS: join(folder, "setup.json") };
  const output = execFileSync("/usr/bin/python3", ["-", "~/.muster"], { input: factsSource(), env, encoding: "utf8" });
  return parseFacts(`Welcome to rig-6600!\n{"motd": 1}\n${output}bye\n`);
}
type Tap = { teardown(action: () => void): unknown };

t.test("gathers facts from a node, whatever its start-up files print", async (t) => {
  const amd = { vendor: "amd", model: "RX 6600", count: 3, vram: 8 * 2 ** 30, sick: [1] };
  for (const [release, tools] of [
    ["rocm5", ["rocm-smi"]],
    ["rocm6", ["amd-smi", "rocm-smi"]],
    ["rocm7", ["amd-smi", "rocm-smi"]],
  ] as const) {
    const facts = factsWith(t, [...tools], { ...amd, release });
    t.same(
      facts?.gpus.map((one) => one.pci),
      ["0000:03:00.0", "0000:06:00.0", "0000:09:00.0"],
      release,
    );
    t.same(facts?.tools, Object.fromEntries(tools.map((tool) => [tool, null])));
    t.match(facts?.gpus[0], { vendor: "amd", model: /RX 6600/ });
    t.ok(Number(facts?.gpus[0]?.vram) > 8 * 2 ** 30 - 2 ** 25);
  }
  const zeus = factsWith(t, ["nvidia-smi"], {
    vendor: "nvidia",
    model: "RTX 3080 Ti",
    count: 2,
    vram: 12 * 2 ** 30,
    release: "nvidia",
  });
  t.same(zeus?.gpus, [nvidia, { ...nvidia, pci: "0000:06:00.0" }]);
  t.match(zeus?.python, /^3\.\d+\.\d+$/);
  t.ok(
    (zeus?.cores ?? 0) > 0 && (zeus?.memory.total ?? 0) > 0 && (zeus?.disk?.free ?? 0) > 0 && (zeus?.booted ?? 0) > 0,
  );
});

t.test("a tool that hangs is killed and reported, and so is one that prints garbage", async (t) => {
  const begin = Date.now();
  const hung = factsWith(t, ["amd-smi", "rocm-smi", "nvidia-smi"], { vendor: "amd", release: "rocm6", tools: "hang" });
  t.ok(Date.now() - begin < 12000, "all at once");
  for (const tool of ["amd-smi", "rocm-smi", "nvidia-smi"]) t.match(hung?.tools[tool], /no answer within 5 s; killed/);
  const garbage = factsWith(t, ["amd-smi", "rocm-smi"], { vendor: "amd", release: "rocm6", tools: "garbage" });
  t.match(garbage, {
    gpus: [],
    tools: { "amd-smi": /JSON that cannot be read/, "rocm-smi": /JSON that cannot be read/ },
  });
});

t.test("checks the type of everything that a node reports", async (t) => {
  const good = {
    muster_facts: 1,
    hostname: "n",
    boot: "b",
    booted: 1,
    uptime: 2.5,
    python: [3, 8, 1],
    cores: 2,
    memory: { total: 5 },
  };
  const line = (change: object) =>
    JSON.stringify({ ...good, ...change }).replace('{"muster_facts":1,', '{"muster_facts": 1,');
  t.match(parseFacts(line({})), {
    python: "3.8.1",
    cores: 2,
    gpus: [],
    tools: {},
    disk: null,
    memory: { total: 5, available: 0 },
  });
  for (const bad of [
    { cores: 0 },
    { cores: "2" },
    { memory: null },
    { python: [3, 8] },
    { python: "3.8" },
    { memory: { total: -1 } },
  ])
    t.equal(parseFacts(line(bad)), undefined, JSON.stringify(bad));
  for (const text of ["", "{", '{"muster_facts": 1, ', "[]", '{"muster_facts": 1, "cores": 1}'])
    t.equal(parseFacts(text), undefined);
  const odd = parseFacts(
    line({
      hostname: "\u001b[2Jx",
      booted: 1e300,
      uptime: "1",
      gpus: [{ vendor: "intel" }, null, 5, { vendor: "amd", model: 5, pci: "../../etc", vram: -1, driver: "\u0007" }],
      tools: { "rocm-smi": "a\nb", __proto__: 1, other: "x" },
      disk: { free: 1, total: "2" },
    }),
  );
  t.same(odd?.hostname, " [2Jx");
  t.same(odd?.gpus, [{ ...unknown, driver: " " }]);
  t.same(odd?.tools, { "rocm-smi": "a b" });
  t.match(odd, { booted: null, uptime: 0, disk: null });
  t.equal(parseFacts(line({ gpus: Array.from({ length: 1000 }, () => ({ vendor: "amd" })) }))?.gpus.length, 64);
});
