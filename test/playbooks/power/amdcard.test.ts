import t from "tap";
import type { GpuSettings } from "../../../fleet/gpus/gpusettings.js";
import { amdChangeSteps, amdReadingSteps, compareAmd } from "../../../playbooks/power/amdcard.js";
import { Readings } from "../../../playbooks/power/cardsteps.js";

const MISSING = { error: "No such file or directory" };
const WELL = {
  "hwmon/power1_cap": "100000000",
  "hwmon/power1_cap_min": "60000000",
  "hwmon/power1_cap_max": "120000000",
  power_dpm_force_performance_level: "manual",
  pp_od_clk_voltage: "OD_SCLK:\n0: 500Mhz\n1: 1000Mhz\nOD_RANGE:\nSCLK: 500Mhz 2800Mhz",
  pp_dpm_mclk: "0: 96Mhz\n1: 875Mhz *",
  "hwmon/pwm1_enable": "1",
  "hwmon/pwm1": "153",
  "driver/module/parameters/ppfeaturemask": "0xffff7fff",
};

/** What a card answers where some files differ from the usual ones. */
function read(settings: GpuSettings, change: Record<string, string | { error: string }> = {}): Readings {
  const files: Record<string, string | { error: string }> = { ...WELL, ...change };
  const steps = amdReadingSteps(settings);
  const answers = steps.map((step) => {
    if (step.do === "recall") return files[step.name] ?? "";
    return step.do === "read" ? (files[step.file] ?? MISSING) : MISSING;
  });
  return new Readings(
    steps,
    answers.map((one) => (typeof one === "string" ? { text: one } : one)),
  );
}

const bounds = (minMhz: number, maxMhz: number) => ({ minMhz, maxMhz });

t.test("settings and answers -> differences", async (t) => {
  const table: [GpuSettings, Record<string, string | { error: string }>, string[]][] = [
    [{ powerWatts: 100, sclk: bounds(500, 1000), mclk: "max", fan: 0.6, perf: "manual" }, {}, []],
    [{ powerWatts: 100.9 }, {}, []],
    [{ powerWatts: 102 }, {}, ["power: 100 W -> 102 W"]],
    [{ powerWatts: 121 }, {}, ["power: 100 W -> 121 W; the card takes 60 W to 120 W"]],
    [{ powerWatts: 121 }, { "hwmon/power1_cap_max": MISSING }, ["power: 100 W -> 121 W"]],
    [
      { powerWatts: 120.5 },
      { "hwmon/power1_cap": "120000000" },
      ["power: 120 W -> 120.5 W; the card takes 60 W to 120 W"],
    ],
    [{ powerWatts: 90 }, { "hwmon/power1_cap": MISSING }, ["power: not offered -> 90 W; its driver has no power1_cap"]],
    [
      { powerWatts: 90 },
      { "hwmon/power1_cap": { error: "Input/output error" } },
      ["power: cannot be read: Input/output error -> 90 W"],
    ],
    [{ perf: "high" }, {}, ["perf: manual -> high"]],
    [{ mclk: "max" }, { power_dpm_force_performance_level: "auto" }, ["perf: auto -> manual"]],
    [{ mclk: "max" }, { pp_dpm_mclk: "S: 9Mhz *\n0: 96Mhz\n1: 875Mhz" }, []],
    [{ mclk: "max" }, { pp_dpm_mclk: "0: 96Mhz *\n1: 875Mhz" }, ["mclk: 96 MHz -> max, 875 MHz"]],
    [{ mclk: "max" }, { pp_dpm_mclk: "0: 96Mhz *\n1: 875Mhz", mclk: "max" }, ["mclk: 96 MHz -> max, 875 MHz"]],
    [{ sclk: "max" }, { pp_dpm_sclk: "0: 500Mhz\n1: 1850Mhz *\n2: 2750Mhz", sclk: "max" }, []],
    [{ sclk: "max" }, { pp_dpm_sclk: "0: 500Mhz\n1: 1850Mhz *\n2: 2750Mhz" }, ["sclk: 1850 MHz -> max, 2750 MHz"]],
    [{ sclk: bounds(500, 1000) }, { sclk: "max" }, ["sclk: max -> 500 to 1000 MHz"]],
    [{ mclk: "max" }, { pp_dpm_mclk: "" }, ["mclk: unknown -> max"]],
    [{ sclk: bounds(490, 1010) }, {}, ["sclk: 500 to 1000 MHz -> 490 to 1010 MHz; the card takes 500 to 2800 MHz"]],
    [{ sclk: bounds(510, 1010) }, {}, []],
    [{ mclk: bounds(700, 800) }, {}, ["mclk: unknown -> 700 to 800 MHz; pp_od_clk_voltage has no OD_MCLK"]],
    [
      { mclk: bounds(700, 800) },
      { pp_od_clk_voltage: "OD_MCLK:\n1: 875MHz" },
      ["mclk: any to 875 MHz -> 700 to 800 MHz; pp_od_clk_voltage has only one bound of mclk"],
    ],
    [
      { sclk: bounds(500, 900) },
      { pp_od_clk_voltage: "OD_SCLK:\n0: 300Mhz 800 mV\n1: 900Mhz 900 mV" },
      ["sclk: clocks with voltages -> 500 to 900 MHz; muster does not set voltages"],
    ],
    [{ fan: "auto" }, {}, ["fan: 60% -> auto"]],
    [{ fan: 0.63 }, {}, []],
    [{ fan: 0.7 }, {}, ["fan: 60% -> 70%"]],
    [{ fan: 0.7 }, { "hwmon/pwm1_enable": "0" }, ["fan: full speed -> 70%"]],
    [{ fan: 0.7 }, { "hwmon/pwm1_enable": "2" }, ["fan: auto -> 70%"]],
    [{ fan: 0.7 }, { "hwmon/pwm1_enable": MISSING }, ["fan: not offered -> 70%; its driver has no pwm1_enable"]],
  ];
  for (const [settings, change, expected] of table) {
    const found = compareAmd(settings, read(settings, change));
    const lines = found.map(
      ({ setting, have, want, refusal }) => `${setting}: ${have} -> ${want}${refusal ? `; ${refusal}` : ""}`,
    );
    t.same(lines, expected, JSON.stringify([settings, change]));
  }
});

t.test("a driver without overdrive: the feature mask says what to do", async (t) => {
  const settings = { sclk: bounds(500, 1000) };
  for (const [mask, advice] of [
    ["0xffffbfff", /lacks the overdrive bit, so set it to "0xffffffff" under kernel/],
    ["4294950911", /lacks the overdrive bit, so set it to "0xffffffff" under kernel/],
    ["0xffffffff", /although amdgpu.ppfeaturemask has the overdrive bit/],
    ["?", /set the overdrive bit 0x4000 of amdgpu.ppfeaturemask under kernel/],
  ] as const) {
    const change = { pp_od_clk_voltage: MISSING, "driver/module/parameters/ppfeaturemask": mask };
    t.match(compareAmd(settings, read(settings, change))[0]?.refusal, advice, mask);
  }
});

t.test("the level precedes clocks, and no bound crosses the other", async (t) => {
  const writes = (settings: GpuSettings, differing: string[]) =>
    amdChangeSteps(settings, read(settings), new Set(differing)).map((step) =>
      step.do === "write" ? [step.file, ...step.texts] : step.do === "remember" ? [step.name, step.text] : [],
    );
  const level = ["auto", "manual"].map((one) => ["power_dpm_force_performance_level", one]);
  t.same(writes({ sclk: bounds(600, 900), mclk: "max" }, ["mclk"]), [
    ...level,
    ["pp_od_clk_voltage", "s 0 600", "s 1 900", "c"],
    ["pp_dpm_mclk", "1"],
    ["sclk", "bounded"],
    ["mclk", "max"],
  ]);
  t.same(writes({ sclk: bounds(1500, 2200) }, ["sclk"]), [
    ...level,
    ["pp_od_clk_voltage", "s 1 2200", "s 0 1500", "c"],
    ["sclk", "bounded"],
  ]);
  t.same(writes({ perf: "low", powerWatts: 87.5, fan: "auto" }, ["power"]), [["hwmon/power1_cap", "87500000"]]);
  t.same(writes({ perf: "low", fan: 0.5 }, ["perf", "fan"]), [
    ["power_dpm_force_performance_level", "low"],
    ["hwmon/pwm1_enable", "1"],
    ["hwmon/pwm1", "128"],
  ]);
});
