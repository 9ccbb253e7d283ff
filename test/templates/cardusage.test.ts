import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { projectRoot } from "../lab/project.js";

const TEMPLATES = join(projectRoot(), "templates");

/** Runs a Python program that prints one JSON value, with the agent's modules in its path. */
function runPython(program: string, ...words: string[]): unknown {
  const text = `import json, sys; sys.path.insert(0, sys.argv[1])\n${program}`;
  return JSON.parse(execFileSync("python3", ["-B", "-c", text, TEMPLATES, ...words], { encoding: "utf8" }));
}

type Sample = [at: number, figures: object, share?: number];

/** Returns what an attempt used that began at 100 and ended at `ended`, with a sample every 10 s and idleness after 120 s. */
function describe(samples: Sample[], ended: number): unknown {
  const program = `from muster_agent.gpu.card_usage import CardUsage
usage = CardUsage(100, 10, 120)
for at, figures, *share in json.loads(sys.argv[2]): usage.add(at, figures, *(share or [1]))
print(json.dumps(usage.describe(float(sys.argv[3]))))`;
  return runPython(program, JSON.stringify(samples), `${ended}`);
}

t.test("means and energy follow the trapezoidal rule, and hold the first and the last sample", async (t) => {
  const samples: Sample[] = [
    [105, { watts: 100, busy: 50, celsius: 60 }],
    [115, { watts: 200, busy: 100, celsius: null }],
  ];
  t.same(describe(samples, 120), {
    samples: 2,
    seconds: 20,
    // 5 s at 100 W, 10 s at 150 W, 5 s at 200 W.
    wattHours: 0.833333,
    busy: { mean: 75, max: 100 },
    watts: { mean: 150, max: 200 },
    celsius: { mean: 60, max: 60 },
  });
});

t.test("one sample stands for a short attempt, and chunks that share a card share its energy", async (t) => {
  t.match(describe([[102, { watts: 36 }]], 104), { samples: 1, seconds: 4, wattHours: 0.04 });
  t.match(describe([[102, { watts: 36 }, 0.25]], 104), {
    share: 0.25,
    wattHours: 0.01,
    watts: { mean: 36 },
  });
});

t.test("time that no sample is near to is not covered", async (t) => {
  const samples: Sample[] = [
    [150, { watts: 100 }],
    [160, { watts: 100 }],
    [300, { watts: 100 }],
  ];
  t.match(describe(samples, 400), { samples: 3, seconds: 30 + 10 + 30 });
});

t.test("throttled time by reason, where the card gives any", async (t) => {
  const samples: Sample[] = [
    [110, { throttled: [] }],
    [120, { throttled: ["heat", "power"] }],
    [130, { throttled: ["power"] }],
  ];
  t.match(describe(samples, 130), { throttled: { heat: 10, power: 20 } });
  t.match(describe([[110, { throttled: [] }]], 120), { throttled: {} });
  t.notMatch(describe([[110, { busy: 1 }]], 120), { throttled: Object });
});

t.test("idle time counts from two minutes on", async (t) => {
  const idle = (from: number, to: number): Sample[] =>
    Array.from({ length: (to - from) / 10 + 1 }, (_, index) => [from + 10 * index, { busy: 0 }]);
  t.notMatch(describe(idle(110, 220), 225), { idleSeconds: Number });
  t.match(describe([...idle(110, 240), [250, { busy: 3 }], ...idle(260, 300)], 305), { idleSeconds: 140 });
  t.match(describe(idle(110, 240), 250), { idleSeconds: 140 }, "until the end");
});

t.test("figures of AMD's driver", async (t: Test) => {
  const folder = t.testdir({});
  const card = join(folder, "0000:03:00.0");
  const read = () =>
    runPython(
      `from muster_agent.gpu import card_figures
card_figures.BUS = sys.argv[2] + "/"
print(json.dumps(card_figures.read_amd_figures("0000:03:00.0")))`,
      folder,
    );
  const write = (files: Record<string, string | Buffer>) => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(card, name, ".."), { recursive: true });
      writeFileSync(join(card, name), content);
    }
  };
  const table = Buffer.alloc(120);
  table.set([120, 0, 1, 3]);
  table.writeBigUInt64LE((1n << 36n) | 1n, 112);
  write({
    gpu_busy_percent: "97\n",
    mem_info_vram_used: "1024\n",
    mem_info_vram_total: "8192\n",
    "hwmon/hwmon3/power1_input": "98400000\n",
    "hwmon/hwmon3/temp1_input": "61200\n",
    "hwmon/hwmon3/temp2_input": "75000\n",
    "hwmon/hwmon3/temp3_input": "511000\n",
    "hwmon/hwmon3/freq1_input": "2359000000\n",
    "hwmon/hwmon3/pwm1": "51\n",
    gpu_metrics: table,
  });
  t.same(read(), {
    busy: 97,
    used: 1024,
    total: 8192,
    watts: 98.4,
    celsius: 61.2,
    junctionCelsius: 75,
    memoryCelsius: null,
    mhz: 2359,
    memoryMhz: null,
    fan: 20,
    throttled: ["power", "heat"],
  });
  for (const other of [table.subarray(0, 112), Buffer.from(table).fill(0xff, 112), Buffer.from(table).fill(4, 3, 4)]) {
    write({ gpu_metrics: other, gpu_busy_percent: "nan\n", "hwmon/hwmon3/power1_input": "-5\n" });
    t.notMatch(read(), { throttled: Array }, "another table, or no status in it");
    t.match(read(), { busy: null, watts: null }, "what no card can have");
  }
  write({ "power/runtime_status": "suspended\n" });
  t.same(read(), { asleep: true });
});

t.test("rows of NVIDIA's tool", async (t) => {
  const parse = (line: string) =>
    runPython(
      "from muster_agent.gpu.card_figures import parse_nvidia_row; print(json.dumps(parse_nvidia_row(sys.argv[2])))",
      line,
    );
  const row = "00000000:0A:00.0, 97, 3072, 12288, 310.55, 71, 1905";
  const figures = { busy: 97, used: 3072 * 2 ** 20, total: 12288 * 2 ** 20, watts: 310.55, celsius: 71, mhz: 1905 };
  t.same(parse(row), ["0000:0a:00.0", figures]);
  const more = { ...figures, memoryCelsius: null, memoryMhz: 9501, fan: 62 };
  t.same(parse(`${row}, N/A, 9501, 62, 0x0000000000000024`), [
    "0000:0a:00.0",
    { ...more, throttled: ["power", "heat"] },
  ]);
  t.same(parse(`${row}, N/A, 9501, 62, 0x0000000000000001`), ["0000:0a:00.0", { ...more, throttled: [] }]);
  t.same(parse(`${row}, N/A, 9501, 62, [N/A]`), ["0000:0a:00.0", more]);
  t.match(parse("00000000:0A:00.0, nan, inf, -1, 1e9, [Unknown Error], [GPU is lost]"), [
    "0000:0a:00.0",
    { busy: null, used: null, total: null, watts: null, celsius: null, mhz: null },
  ]);
  for (const line of ["", "No devices were found", `${row}, 1`, "00000000:0A:00.0, 97"])
    t.equal(parse(line), null, line);
});

t.test("an idle card is reported once each time, and again to another coordinator", async (t) => {
  const program = `import selectors, types
from muster_agent.gpu import sampler as module
clock = [0.0]
module.now = lambda: clock[0]
sent = []
server = types.SimpleNamespace(attached=True, send=sent.append, report_problem=sent.append)
settings = types.SimpleNamespace(sample_seconds=10.0, idle_after_seconds=120.0)
cards = [{"gpu": 0, "pci": "0000:03:00.0"}]
attempt = types.SimpleNamespace(id="a", slot=0, cards=cards, began=0.0, seconds=0.0, phase="running", usage={})
slots = types.SimpleNamespace(active={"a": attempt}, by_number={0: types.SimpleNamespace(vendor="amd")})
sampler = module.Sampler(selectors.DefaultSelector(), settings, slots, None, server, lambda: None)
def look(seconds, figures):
    clock[0] = seconds
    sampler.record("0000:03:00.0", figures)
for seconds in range(10, 160, 10): look(seconds, {"busy": 0})
first = len(sent)
sampler.forget_reported()
again = len(sent)
look(160, {"busy": 5})
for seconds in range(170, 310, 10): look(seconds, {"asleep": True})
attempt.phase = "sweeping"
look(320, {"busy": 99})
print(json.dumps([first, again, sent, attempt.usage["0000:03:00.0"].count]))`;
  const message = { ev: "idle", id: "a", pci: "0000:03:00.0" };
  t.same(runPython(program), [
    1,
    2,
    [
      { ...message, at: 10, seconds: 120 },
      { ...message, at: 10, seconds: 140 },
      { ...message, at: 170, seconds: 120 },
    ],
    30,
  ]);
});
