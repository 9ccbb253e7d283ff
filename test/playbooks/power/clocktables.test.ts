import t from "tap";
import { parseLevels, parseOverdrive } from "../../../playbooks/power/clocktables.js";

const NAVI_23 = `OD_SCLK:
0: 500Mhz
1: 2750Mhz
OD_MCLK:
0: 97Mhz
1: 875MHz
OD_VDDGFX_OFFSET:
0mV
OD_RANGE:
SCLK:     500Mhz       2800Mhz
MCLK:     674Mhz       1075Mhz
`;
const VEGA_20 = `OD_SCLK:
0:        808Mhz
1:       1801Mhz
OD_MCLK:
1:       1000Mhz
OD_VDDC_CURVE:
0:        808Mhz        719mV
1:       1304Mhz        795mV
2:       1801Mhz       1087mV
OD_RANGE:
SCLK:     808Mhz       2200Mhz
MCLK:     801Mhz       1200Mhz
VDDC_CURVE_SCLK[0]:     808Mhz       2200Mhz
`;
const POLARIS = `OD_SCLK:
0: 300Mhz 800 mV
1: 466Mhz 818 mV
OD_MCLK:
0: 300Mhz 800 mV
1: 1650Mhz 1000 mV
`;

t.test("overdrive tables of three generations", async (t) => {
  const clocks = (text: string, name: "sclk" | "mclk") => {
    const table = parseOverdrive(text, name);
    return table && [[...table.clocks], table.hasVoltages, table.range];
  };
  t.same(clocks(NAVI_23, "sclk"), [
    [
      [0, 500],
      [1, 2750],
    ],
    false,
    { minMhz: 500, maxMhz: 2800 },
  ]);
  t.same(clocks(NAVI_23, "mclk"), [
    [
      [0, 97],
      [1, 875],
    ],
    false,
    { minMhz: 674, maxMhz: 1075 },
  ]);
  t.same(clocks(VEGA_20, "sclk"), [
    [
      [0, 808],
      [1, 1801],
    ],
    false,
    { minMhz: 808, maxMhz: 2200 },
  ]);
  t.same(clocks(VEGA_20, "mclk"), [[[1, 1000]], false, { minMhz: 801, maxMhz: 1200 }]);
  t.same(clocks(POLARIS, "sclk"), [
    [
      [0, 300],
      [1, 466],
    ],
    true,
    undefined,
  ]);
  for (const text of ["", "OD_RANGE:\nSCLK: 1Mhz 2Mhz", "OD_SCLK_OFFSET:\n0Mhz", "0: 500Mhz", "OD_SCLK:\n0: -5Mhz"])
    t.equal(parseOverdrive(text, "sclk"), undefined, JSON.stringify(text));
});

t.test("levels, and the one that is marked", async (t) => {
  t.same(parseLevels("0: 96Mhz *\n1: 456Mhz \n2: 875Mhz"), {
    highest: { index: 2, mhz: 875 },
    activeMhz: 96,
    isResting: false,
  });
  t.same(parseLevels("S: 19Mhz *\n0: 500Mhz\n1: 2750Mhz"), {
    highest: { index: 1, mhz: 2750 },
    activeMhz: undefined,
    isResting: true,
  });
  for (const text of ["", "S: 0Mhz *", "875Mhz *", "a: 1Mhz"]) t.equal(parseLevels(text), undefined, text);
});
