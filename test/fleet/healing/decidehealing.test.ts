import fc from "fast-check";
import t from "tap";
import { decideHealing, type FleetNode } from "../../../fleet/healing/decidehealing.js";
import { DAY_MS, listRecentHealings, recordCondition, recordHealing } from "../../../fleet/healing/healrecord.js";
import type { HealSettings } from "../../../fleet/healing/healsettings.js";
import {
  anyFleet,
  away,
  createFleetNode,
  createHealing,
  createHealSettings,
  drained,
  missing,
  NOW_MS,
  sick,
} from "./healfixture.js";

const b = createFleetNode("b");
const c = createFleetNode("c");

/** What is decided about node `a` beside two nodes that are well. */
const CASES: [
  name: string,
  a: Parameters<typeof createFleetNode>[1],
  wanted: object | undefined,
  others?: FleetNode[],
  settings?: Partial<HealSettings>,
][] = [
  ["a node that is well", {}, undefined],
  ["away for long", { condition: away }, { do: "heal", action: "power-cycle", from: "away" }],
  [
    "away for a moment",
    { condition: away, minutes: 9 },
    { do: "wait", why: /^it is healed from 20/, untilMs: NOW_MS + 60_000 },
  ],
  [
    "away, without a command",
    { condition: away, canPowerCycle: false },
    { do: "leave", why: "it has no `power_cycle` command" },
  ],
  ["sick for long", { condition: sick }, { do: "heal", action: "reboot", from: "sick" }],
  ["fewer cards for long", { condition: missing, canPowerCycle: false }, { do: "heal", action: "reboot" }],
  [
    "sick, and a reboot did not help",
    { condition: sick, healings: [createHealing(60, "failed", "reboot")] },
    { do: "heal", action: "power-cycle" },
  ],
  [
    "sick, and its healing was killed",
    { condition: sick, healings: [createHealing(60, undefined, "reboot")] },
    { do: "heal", action: "power-cycle" },
  ],
  [
    "sick again after a reboot that helped",
    { condition: sick, healings: [createHealing(60, "healed", "reboot")] },
    { do: "heal", action: "reboot" },
  ],
  [
    "sick, a reboot did not help, and there is no other way",
    { condition: sick, canPowerCycle: false, healings: [createHealing(60, "failed", "reboot")] },
    { do: "heal", action: "reboot" },
  ],
  [
    "a cause that `reboot` does not name",
    { condition: missing },
    { do: "leave", why: /missing-gpu/ },
    [b, c],
    { reboot: ["sick-gpu"] },
  ],
  ["away, whatever `reboot` names", { condition: away }, { do: "heal" }, [b, c], { reboot: [] }],
  ["this machine", { condition: sick, isThisMachine: true }, { do: "leave", why: "muster runs on this machine" }],
  [
    "a node that refuses the log-in",
    { condition: { kind: "refused", reason: "log in: no key fits" } },
    { do: "leave" },
  ],
  [
    "a node that a person has drained",
    { condition: away, drain: drained },
    { do: "leave", why: "it is drained (new fans)" },
  ],
  ["a node that healing has drained", { condition: away, drain: { ...drained, healing: true } }, { do: "heal" }],
  ["healing has drained it, and it is well", { drain: { ...drained, healing: true } }, { do: "release" }],
  ["a person has drained it, and it is well", { drain: drained }, undefined],
  ["no other node", { condition: away }, { do: "leave", why: /no other node answers/ }, []],
  [
    "no other node but this machine",
    { condition: away },
    { do: "leave", why: /no other node answers/ },
    [createFleetNode("here", { isThisMachine: true })],
  ],
  [
    "the only other node is another name of its machine",
    { condition: away },
    { do: "leave", why: /no other node answers/ },
    [createFleetNode("a2", { machine: "a" })],
  ],
  [
    "the other one is away for longer",
    { condition: away },
    { do: "leave", why: /no other node answers/ },
    [createFleetNode("b", { condition: away, minutes: 90 })],
  ],
  ["one of two", { condition: away }, { do: "heal" }, [b]],
  [
    "half of the fleet vanished within a minute",
    { condition: away },
    { do: "leave", why: /^2 of 4 machines vanished within a minute/ },
    [createFleetNode("x", { condition: away, minutes: 59 }), b, c],
  ],
  [
    "half of the fleet, one after the other",
    { condition: away, minutes: 90 },
    { do: "heal" },
    [createFleetNode("x", { condition: away, minutes: 88 }), b, c],
  ],
  [
    "less than half of the fleet",
    { condition: away },
    { do: "heal" },
    [createFleetNode("x", { condition: away, minutes: 59 }), b, c, createFleetNode("d")],
  ],
  [
    "half of the fleet is away, and it is sick",
    { condition: sick, minutes: 90 },
    { do: "heal" },
    [createFleetNode("x", { condition: away, minutes: 90 }), b, c],
  ],
  [
    "healed just now",
    { condition: away, healings: [createHealing(29, "failed")] },
    { do: "wait", why: /^it was healed once within 24 hours; the next healing is from/, untilMs: NOW_MS + 60_000 },
  ],
  [
    "healed twice: the pause doubles",
    { condition: away, healings: [createHealing(200, "failed"), createHealing(59, "failed")] },
    { do: "wait", untilMs: NOW_MS + 60_000 },
    [b],
    { mostPerDay: 3 },
  ],
  [
    "the pause is over",
    { condition: away, healings: [createHealing(200, "failed"), createHealing(60, "failed")] },
    { do: "heal" },
    [b],
    { mostPerDay: 3 },
  ],
  [
    "healed as often as allowed",
    { condition: away, healings: [createHealing(700, "healed"), createHealing(1, "healed")] },
    { do: "give up", why: "it was healed 2 times within 24 hours, and needs it again" },
  ],
  [
    "healed as often, but not today",
    { condition: away, healings: [createHealing(1440, "healed"), createHealing(100, "healed")] },
    { do: "heal" },
  ],
  [
    "healed in the future, by a clock that was wrong",
    { condition: away, healings: [createHealing(-600, "healed"), createHealing(-700, "healed")] },
    { do: "give up" },
  ],
  [
    "others are on it",
    { condition: sick, obstacles: ["run x is on it", "user bob is logged in"] },
    { do: "wait", why: "run x is on it; user bob is logged in" },
  ],
  [
    "others are on it, but it is healed too often anyway",
    { condition: sick, obstacles: ["x"], healings: [createHealing(700, "healed"), createHealing(600, "healed")] },
    { do: "give up" },
  ],
  [
    "another one is unwell for longer",
    { condition: sick },
    { do: "wait", why: "b is healed first" },
    [createFleetNode("b", { condition: sick, minutes: 90 }), c],
  ],
  [
    "two at once",
    { condition: sick },
    { do: "heal" },
    [createFleetNode("b", { condition: sick, minutes: 90 }), c],
    { atOnce: 2 },
  ],
  [
    "two at once, and no third one answers",
    { condition: sick },
    { do: "leave", why: /no other node answers/ },
    [createFleetNode("b", { condition: sick, minutes: 90 })],
    { atOnce: 2 },
  ],
  [
    "two at once, and the third one is on the machine of the other",
    { condition: sick },
    { do: "leave", why: /no other node answers/ },
    [
      createFleetNode("b", { condition: away, minutes: 90, machine: "m" }),
      createFleetNode("c", { condition: { kind: "refused", reason: "x" }, machine: "m" }),
    ],
    { atOnce: 2 },
  ],
  ["not selected", { condition: away, isSelected: false }, undefined],
];

for (const [name, a, wanted, others = [b, c], settings] of CASES)
  t.test(name, async (t) => {
    const decisions = decideHealing([createFleetNode("a", a), ...others], createHealSettings(settings), NOW_MS);
    const found = decisions.find(({ node }) => node === "a");
    if (wanted === undefined) t.equal(found, undefined);
    else t.match(found, wanted);
  });

t.test("what is healed now counts", async (t) => {
  const fleet = [createFleetNode("a", { condition: sick }), createFleetNode("b", { condition: away, minutes: 1 }), c];
  t.match(decideHealing(fleet, createHealSettings(), NOW_MS, new Set(["b"])), [
    { node: "a", do: "wait", why: "b is healed first" },
  ]);
  t.match(decideHealing(fleet, createHealSettings({ atOnce: 2 }), NOW_MS, new Set(["b"])), [{ node: "a", do: "heal" }]);
  t.match(decideHealing(fleet, createHealSettings({ atOnce: 3 }), NOW_MS, new Set(["b", "c"])), [
    { node: "a", do: "leave", why: /no other node answers/ },
  ]);
});

t.test("whatever the fleet: the rules hold", async (t) => {
  fc.assert(
    fc.property(anyFleet, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), (fleet, atOnce, most) => {
      const settings = createHealSettings({ atOnce, mostPerDay: most });
      const healed = decideHealing(fleet, settings, NOW_MS).flatMap((one) => (one.do === "heal" ? [one] : []));
      if (healed.length > atOnce) throw new Error(`${healed.length} at once`);
      for (const { node, action } of healed) {
        const one = fleet.find(({ name }) => name === node)!;
        const names = healed.map((other) => other.node);
        const isAnswering = (other: FleetNode) =>
          other.machine !== one.machine && !other.isThisMachine && other.condition.kind !== "away";
        if (!fleet.some((other) => isAnswering(other) && names.indexOf(other.name) < 0))
          throw new Error(`${node}: no other node answers`);
        if (one.isThisMachine || one.drain || one.obstacles.length > 0) throw new Error(`${node} must not be touched`);
        if (one.condition.kind !== "away" && one.condition.kind !== "sick") throw new Error(`${node} is not unwell`);
        if (listRecentHealings(one.record, NOW_MS).length >= most) throw new Error(`${node} is healed too often`);
        if (action === "power-cycle" && !one.canPowerCycle) throw new Error(`${node} has no command`);
      }
    }),
    { numRuns: 2000 },
  );
  t.pass("rules");
});

t.test(
  "whatever happens to a node: at most so many healings a day, with growing pauses, and then it is given up",
  async (t) => {
    const looks = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 90 }), fc.constantFrom(away, sick, { kind: "well" } as const)),
      {
        minLength: 20,
        maxLength: 300,
      },
    );
    fc.assert(
      fc.property(looks, fc.integer({ min: 1, max: 4 }), (list, mostPerDay) => {
        const settings = createHealSettings({ mostPerDay });
        let nowMs = NOW_MS;
        let record: FleetNode["record"] = { healings: [] };
        for (const [minutes, condition] of list) {
          nowMs += minutes * 60_000;
          record = recordCondition(record, condition, undefined, nowMs, settings.afterSeconds);
          const node = { ...createFleetNode("a", { condition }), record };
          const [decision] = decideHealing([node, b], settings, nowMs);
          const recent = listRecentHealings(record, nowMs);
          if (decision?.do === "give up") return recent.length >= mostPerDay;
          if (decision?.do !== "heal") continue;
          const unwellMs = nowMs - Date.parse(record.unwell!.since);
          if (unwellMs < settings.afterSeconds * 1000) throw new Error(`healed after ${unwellMs} ms`);
          const pauseMs = settings.pauseSeconds * 1000 * 2 ** (recent.length - 1);
          if (recent.length > 0 && nowMs - Date.parse(recent.at(-1)!.at) < pauseMs)
            throw new Error("the pause is not kept");
          const at = new Date(nowMs).toISOString();
          record = recordHealing(record, { at, action: decision.action, cause: "x", outcome: "failed" });
          const day = record.healings.filter((one) => nowMs - Date.parse(one.at) < DAY_MS);
          if (day.length > mostPerDay) throw new Error(`${day.length} healings a day`);
        }
        return true;
      }),
      { numRuns: 300 },
    );
    t.pass("rules");
  },
);
