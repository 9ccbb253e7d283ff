import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { preparePowerCycle, runPowerCycle } from "../../../fleet/healing/powercycle.js";
import { TestFolder } from "../../cli/startmuster.js";
import { waitUntil } from "../../lab/waituntil.js";
import { createNode } from "../nodes.js";
import { createHealSettings } from "./healfixture.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
const never = new AbortController().signal;
const prepare = (powerCycle: string[] | undefined, change: Parameters<typeof createHealSettings>[0] = {}) =>
  preparePowerCycle(createNode({ name: "rig", host: "10.0.0.5", powerCycle }), createHealSettings(change), shop.folder);

t.test("words stand for the node, its host and the home folder", async (t) => {
  const words = ["~/bin/plug", "--host={host}", "{node}/{node}", "a~/b"];
  t.same(prepare(words).argv, [join(homedir(), "bin/plug"), "--host=10.0.0.5", "rig/rig", "a~/b"]);
  t.throws(() => prepare(undefined), { code: "COMMAND", message: "rig: it has no `power_cycle` command" });
});

t.test("it runs in the folder of the inventory, with the variables of env_file", async (t) => {
  const envFile = shop.write("secrets.env", "# the plug\nPLUG_TOKEN='s3cret word'\n");
  await runPowerCycle(prepare(["/bin/sh", "-c", 'echo "$PLUG_TOKEN $PWD" >said'], { envFile }), never);
  t.equal(shop.read("said"), `s3cret word ${shop.folder}\n`);
});

t.test("variables that cannot be read are named before anything is done", async (t) => {
  t.throws(() => prepare(["true"], { envFile: join(shop.folder, "none.env") }), {
    code: "SECRET",
    message: /none\.env/,
  });
  const envFile = shop.write("bad.env", "A=1\nsecret\n");
  t.throws(() => prepare(["true"], { envFile }), { code: "SECRET", message: /bad\.env:2: is not KEY=VALUE$/ });
});

t.test("a command that fails says why, without secrets", async (t) => {
  const envFile = shop.write("secrets.env", "PLUG_TOKEN=s3cret\n");
  const failing = prepare(["/bin/sh", "-c", "echo wrong token $PLUG_TOKEN >&2; exit 7"], { envFile });
  const message = "power_cycle (/bin/sh): it ended with exit 7: wrong token ***";
  await t.rejects(runPowerCycle(failing, never), { code: "COMMAND", message });
  await t.rejects(runPowerCycle(prepare(["/nowhere/plug"]), never), {
    message: /\/nowhere\/plug\): there is no such program/,
  });
  await t.rejects(runPowerCycle(prepare(["/bin/sh", "-c", "kill -TERM $$"]), never), { message: /ended with SIGTERM/ });
});

t.test("a command that hangs is killed with all that it started", async (t) => {
  const hanging = prepare(["/bin/sh", "-c", "sleep 600 & echo $! >pid; wait"], { commandSeconds: 1 });
  await t.rejects(runPowerCycle(hanging, never), { message: "power_cycle (/bin/sh): it ran longer than 1 s" });
  const commandLine = `/proc/${shop.read("pid").trim()}/cmdline`;
  await waitUntil("its child is gone", () => !existsSync(commandLine) || readFileSync(commandLine, "utf8") === "");
  const stop = new AbortController();
  const stopped = runPowerCycle(prepare(["sleep", "600"]), stop.signal);
  setTimeout(() => stop.abort(), 100);
  await t.rejects(stopped, { message: /it was interrupted/ });
});

t.test("what a command leaves behind does not hold it up", async (t) => {
  const startedMs = performance.now();
  await runPowerCycle(prepare(["/bin/sh", "-c", "sleep 600 & echo $! >left; exit 0"]), never);
  t.ok(performance.now() - startedMs < 30_000);
  process.kill(Number(shop.read("left")), "SIGKILL");
});
