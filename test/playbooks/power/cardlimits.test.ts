import t from "tap";
import { chooseLimits, findLimitRefusal, findOtherLimits, limitSteps } from "../../../playbooks/power/cardlimits.js";
import type { PowerLimit } from "../../../playbooks/power/powerlimit.js";

const [A, B] = ["0000:03:00.0", "0000:06:00.0"];
const RX: PowerLimit = { now: 100, lowest: 60, highest: 120 };
const limits = (a: PowerLimit, b: PowerLimit = a) =>
  new Map([
    [A, a],
    [B, b],
  ] as const);

t.test("cards -> the limits that are measured", async (t) => {
  t.same(chooseLimits(limits(RX), [A, B]), [60, 80, 100, 120]);
  t.same(chooseLimits(limits(RX, { now: 200, lowest: 100, highest: 350 }), [A, B]), [100, 107, 113, 120]);
  t.same(chooseLimits(limits({ now: 62, lowest: 61.2, highest: 63 }), [A]), [62, 63], "whole watts, each once");
  t.same(chooseLimits(limits({ now: 100, highest: 120 }), [A]), [], "no lowest");
  t.same(chooseLimits(limits(RX, { now: 200, lowest: 150, highest: 350 }), [A, B]), [], "none that all take");
  t.same(chooseLimits(new Map(), []), []);
});

t.test("limits that cards do not take are refused", async (t) => {
  t.equal(findLimitRefusal(limits(RX), [A, B], 80), undefined);
  t.equal(
    findLimitRefusal(limits(RX), [A, B], 130),
    `GPU ${A}, ${B}: power cannot be 130 W: the card takes 60 W to 120 W`,
  );
  t.equal(
    findLimitRefusal(limits(RX, { refusal: "its driver has no power1_cap", unread: "not offered" }), [A, B], 80),
    `GPU ${B}: its power limit is unknown: its driver has no power1_cap`,
  );
  t.equal(findLimitRefusal(new Map([[A, RX]]), [A, B], 80), `GPU ${B}: its power limit is unknown`);
});

t.test("limits that others have changed are seen", async (t) => {
  t.equal(findOtherLimits(limits({ ...RX, now: 80.4 }), [A, B], 80), undefined, "a driver rounds to watts");
  t.equal(findOtherLimits(limits({ ...RX, now: 80 }, RX), [A, B], 80), `GPU ${B}: it is 100 W`);
});

t.test("each vendor has steps of its own", async (t) => {
  t.same(limitSteps("amd", 87.5), [{ do: "write", file: "hwmon/power1_cap", texts: ["87500000"] }]);
  t.same(limitSteps("nvidia", 300), [{ do: "run", argv: ["nvidia-smi", "-i", "{pci}", "-pl", "300"] }]);
});
