import fc from "fast-check";
import type { FleetNode } from "../../../fleet/healing/decidehealing.js";
import type { HealAction, Healing, NodeCondition } from "../../../fleet/healing/healrecord.js";
import type { HealSettings } from "../../../fleet/healing/healsettings.js";

export const NOW_MS = Date.parse("2026-11-01T12:00:00.000Z");

/** Settings with the defaults of an inventory, apart from `change`. */
export function createHealSettings(change: Partial<HealSettings> = {}): HealSettings {
  return {
    afterSeconds: 600,
    reboot: ["sick-gpu", "missing-gpu"],
    mostPerDay: 2,
    pauseSeconds: 1800,
    waitSeconds: 600,
    atOnce: 1,
    commandSeconds: 60,
    onHeal: [],
    ...change,
  };
}

export const away = { kind: "away", reason: "connect: timed out" } as const;
export const sick: NodeCondition = { kind: "sick", reason: "GPU 0000:03:00.0: sclk N/A", cause: "sick-gpu" };
export const missing: NodeCondition = { kind: "sick", reason: "GPU 1 is not there", cause: "missing-gpu" };

/** A remote node that is well, apart from `change`. `minutes`: how long it has been as it is. */
export function createFleetNode(
  name: string,
  { minutes = 60, healings = [], ...change }: Partial<FleetNode> & { minutes?: number; healings?: Healing[] } = {},
): FleetNode {
  const condition = change.condition ?? { kind: "well" };
  const { kind } = condition;
  const at = new Date(NOW_MS - minutes * 60_000).toISOString();
  return {
    name,
    machine: name,
    isThisMachine: false,
    condition,
    canPowerCycle: true,
    isSelected: true,
    obstacles: [],
    record: kind === "away" || kind === "sick" ? { healings, unwell: { kind, since: at, seen: at } } : { healings },
    ...change,
  };
}

/** A healing that began so many minutes before NOW_MS. */
export function createHealing(
  minutesAgo: number,
  outcome: Healing["outcome"],
  action: HealAction = "power-cycle",
): Healing {
  const at = new Date(NOW_MS - minutesAgo * 60_000).toISOString();
  return { at, action, cause: "away: connect: timed out", ...(outcome === undefined ? {} : { outcome }) };
}

/** The drain of a person. */
export const drained = { since: "2026-11-01T00:00:00.000Z", reason: "new fans" };

/** Any fleet of up to eight nodes on five machines. */
export const anyFleet = fc
  .array(
    fc.record({
      condition: fc.constantFrom(
        away,
        sick,
        missing,
        { kind: "well" } as const,
        { kind: "refused", reason: "x" } as const,
      ),
      minutes: fc.integer({ min: 0, max: 100 }),
      healings: fc.array(fc.integer({ min: -100, max: 3000 }), { maxLength: 4 }),
      isThisMachine: fc.boolean(),
      isDrained: fc.boolean(),
      canPowerCycle: fc.boolean(),
      isBusy: fc.boolean(),
      machine: fc.integer({ min: 0, max: 4 }),
    }),
    { maxLength: 8 },
  )
  .map((list) =>
    list.map(({ healings, isDrained, isBusy, machine, ...one }, index) =>
      createFleetNode(`n${index}`, {
        ...one,
        machine: `m${machine}`,
        healings: healings.sort((x, y) => y - x).map((minutes) => createHealing(minutes, "failed")),
        ...(isDrained ? { drain: drained } : {}),
        ...(isBusy ? { obstacles: ["run x is on it"] } : {}),
      }),
    ),
  );
