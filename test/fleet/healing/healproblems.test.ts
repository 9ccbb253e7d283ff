import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { findHealProblems } from "../../../fleet/healing/healproblems.js";
import type { HealSettings } from "../../../fleet/healing/healsettings.js";
import { formatHealSettings } from "../../../report/healtext.js";
import { createNode } from "../nodes.js";

const settings: HealSettings = {
  afterSeconds: 600,
  reboot: ["sick-gpu"],
  mostPerDay: 2,
  pauseSeconds: 1,
  waitSeconds: 1,
  atOnce: 1,
  commandSeconds: 1,
  onHeal: [],
};

t.test("what would make a healing fail is found before it is needed", async (t) => {
  const folder = t.testdir({ "plug.sh": "#!/bin/sh\n", "notes.txt": "", "plug.env": "PASSWORD=x\n" });
  chmodSync(join(folder, "plug.sh"), 0o755);
  const check = (powerCycle: string[] | undefined, change: Partial<HealSettings> = {}) =>
    findHealProblems([createNode({ name: "rig", host: "rig.lan", powerCycle })], { ...settings, ...change }, folder);
  t.same(check(["./plug.sh", "{node}", "{host}"], { envFile: join(folder, "plug.env") }), []);
  t.same(check(["sh", "-c", "echo ${node}"]), [], "from PATH");
  t.same(check(undefined, { envFile: "/nowhere" }), [], "nothing is run for it");
  for (const program of ["./plugg.sh", "./notes.txt", "no-such-tool", "."])
    t.same(check([program]), [`power_cycle (${program}): there is no such program`]);
  t.same(check(["./plug.sh", "{nod}"]), ["power_cycle of rig: {nod} is neither {node} nor {host}"]);
  t.match(check(["./plug.sh"], { envFile: join(folder, "nope.env") }), [/^env_file of heal: .*nope\.env: /]);
  const two = ["a", "b"].map((name) => createNode({ name, powerCycle: ["no-such-tool"] }));
  t.equal(findHealProblems(two, settings, folder).length, 1, "a problem of several nodes is named once");
});

t.test("what `heal` does, in lines of 80 columns", async (t) => {
  const nodes = [
    createNode({ name: "zeus", connection: "local" }),
    createNode({ name: "rig-1", powerCycle: ["x"] }),
    createNode({ name: "rig-2" }),
  ];
  t.same(formatHealSettings(settings, nodes).split("\n"), [
    "  heal: a node that is away, or has sick or missing GPUs, for 10 min 00 s is",
    "    rebooted or power-cycled, at most 2 times within 24 hours",
    "  without power_cycle, so only named while away: rig-2",
  ]);
});
