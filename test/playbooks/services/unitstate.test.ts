import t from "tap";
import type { WantedUnit } from "../../../fleet/nodestate.js";
import { diffUnit, parseUnitState } from "../../../playbooks/services/unitstate.js";

/** A unit that runs since second 10 of the node's clock. */
const RUNNING = {
  LoadState: "loaded",
  ActiveState: "active",
  SubState: "running",
  UnitFileState: "enabled",
  NeedDaemonReload: "no",
  ActiveEnterTimestampMonotonic: "10000000",
};
const MISSING = { ...RUNNING, LoadState: "not-found", ActiveState: "inactive", SubState: "dead", UnitFileState: "" };

const stateOf = (unit: object, changed: Record<string, unknown> = {}) =>
  parseUnitState({ exit: 0, stdout: `\n${JSON.stringify({ unit, changed, now: 20 })}\n`, stderr: "" });

t.test("what differs, and what is done about it", async (t) => {
  const table: [change: object, want: WantedUnit, found: string[]][] = [
    [{}, { enabled: true, running: true }, []],
    [{ ActiveState: "inactive", SubState: "dead" }, { running: true }, ["inactive -> running: start"]],
    [
      { ActiveState: "activating", SubState: "auto-restart" },
      { running: true },
      ["restarting again and again -> running: start"],
    ],
    [{ ActiveState: "failed", SubState: "failed" }, { running: false }, []],
    [{}, { running: false }, ["active (running) -> stopped: stop"]],
    [{ UnitFileState: "disabled" }, { enabled: true }, ["disabled -> enabled: enable"]],
    [{ UnitFileState: "static" }, { enabled: true }, ["static, so it cannot be enabled -> enabled: nothing"]],
    [{ UnitFileState: "static" }, { enabled: false }, []],
    [{}, { enabled: false }, ["enabled -> disabled: disable"]],
    [{}, { masked: true }, ["not masked -> masked: mask"]],
    [
      { LoadState: "masked", UnitFileState: "masked", ActiveState: "inactive" },
      { masked: false, enabled: true, running: true },
      ["masked -> not masked: unmask", "masked -> enabled: enable", "inactive (running) -> running: start"],
    ],
    [MISSING, { running: true }, ["no such unit -> running: nothing"]],
    [MISSING, { running: false, enabled: false }, []],
    [
      MISSING,
      { unit: "x", enabled: true, running: true },
      ["no such unit -> enabled: enable", "no such unit -> running: start"],
    ],
  ];
  for (const [change, want, found] of table) {
    const differences = diffUnit("x.service", want, stateOf({ ...RUNNING, ...change }));
    t.same(
      differences.map(({ have, want, action }) => `${have} -> ${want}: ${action ?? "nothing"}`),
      found,
      JSON.stringify([change, want]),
    );
  }
});

t.test("a unit that is older than its files is restarted", async (t) => {
  const actions = (changed: Record<string, unknown>, change: object = {}) =>
    diffUnit("x.service", { running: true }, stateOf({ ...RUNNING, ...change }, changed)).map(({ action }) => action);
  t.same(actions({ "/a": 9.5, "/b": null }), []);
  t.same(actions({ "/a": 10.5 }), ["restart"]);
  t.same(actions({ "/a": 10.5 }, { ActiveState: "inactive" }), ["start"], "a start is enough");
});

t.test("answers that cannot be read are no state", async (t) => {
  const answers = ["", "x", "[]", "null", '{"unit": 5}', '{"unit": {"problem": "no bus"}, "changed": 7}'];
  for (const stdout of answers) {
    const [difference] = diffUnit("x", { running: true }, parseUnitState({ exit: 0, stdout, stderr: "" }));
    t.equal(difference?.action === undefined || difference.have === "", true, stdout);
  }
});
