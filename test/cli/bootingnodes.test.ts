import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { loadPipeline } from "../../executor/pipeline/loadpipeline.js";
import { nodeWaitSeconds } from "../../executor/pipeline/nodewait.js";
import { type Lab, lacking, startLab } from "../lab/lab.js";
import type { LabNode } from "../lab/labnode.js";
import { addRefusingNodes } from "../lab/refusingnodes.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

t.test("runs that @reboot starts wait 10 minutes, others only if the pipeline says so", async (t) => {
  const load = (content: object) => loadPipeline(shop.write("w.yaml", content), {});
  const verify = { verify: ["host"] };
  const wait = (content: object, only?: string) =>
    nodeWaitSeconds(load(content), only === undefined ? { kind: "all" } : { kind: "only", step: only });
  t.equal(wait({ schedule: "@reboot", steps: { a: verify } }), 600);
  t.equal(wait({ schedule: "@reboot", wait_for_nodes: "1s", steps: { a: verify } }), 1);
  t.equal(wait({ schedule: "0 2 * * *", steps: { a: verify } }), 0);
  t.equal(wait({ schedule: "0 2 * * *", wait_for_nodes: "90s", steps: { a: verify } }), 90);
  const step = { schedule: "0 2 * * *", steps: { a: { ...verify, schedule: "@reboot" }, b: verify } };
  t.equal(wait(step, "a"), 600);
  t.equal(wait(step, "b"), 0);
  t.equal(wait(step), 0);
  t.equal(wait({ schedule: "@reboot", steps: { a: { command: ["true"] } } }), 0, "no step uses nodes");
});

t.test(
  "@reboot with nodes that are still booting",
  { skip: lacking("nodes that are switched on and off") },
  async (t) => {
    const lab: Lab = await startLab({ nodes: 2, gpus: 0 });
    t.teardown(() => lab.stop());
    const [, late] = lab.nodes as [LabNode, LabNode];
    const inventory = lab.inventory({});
    const log = (name: string) => {
      const file = join(shop.folder, name, "runs/p.log");
      return existsSync(file) ? readFileSync(file, "utf8") : "";
    };
    const pipeline = (name: string, content: object) =>
      shop.write(`${name}/p.yaml`, {
        schedule: "@reboot",
        steps: { a: { verify: ["session"] }, b: { command: ["true"], needs: ["a"] } },
        ...content,
      });

    await t.test("the run waits until they answer", async (t) => {
      const file = pipeline("late", {});
      await late.powerOff();
      const run = startMuster(["run", "--cron", file, "-i", inventory]);
      const ended = waitForExit(run);
      await waitUntil("the log says that it waits", () => /waiting up to 600 s for node2: /.test(log("late")), 60);
      await late.powerOn();
      t.match(await ended, { code: 0, out: "", err: "" });
      t.match(log("late"), /waited \d+ s for nodes; 0 are missing\n.* complete after /s);
      t.notMatch(log("late"), /for node1/);
    });

    // Nothing listens there, so that a dial fails at once.
    const refusing = addRefusingNodes(inventory, join(shop.folder, "refusing.yaml"), 1);

    await t.test("when the time is over, the run continues with those that answer, and says so", async (t) => {
      const failed = await runMuster(["run", "--cron", pipeline("none", { schedule: "0 2 * * *" }), "-i", refusing]);
      t.equal(failed.code, 3, "without waiting, the step fails and what needs it is blocked");
      const file = pipeline("gone", { wait_for_nodes: "1s" });
      const ran = await runMuster(["run", "--cron", file, "-i", refusing]);
      t.match(ran, {
        code: 0,
        out: "",
        err: /^muster: continuing without off1, which did not answer in time: [^\n]+\n$/,
      });
      t.match(log("gone"), /waited \d+ s for nodes; 1 is missing\n.*continuing without off1/s);
      t.equal(readdirSync(join(shop.folder, "gone/runs")).filter((name) => /^p-\d/.test(name)).length, 1);
      const alone = await runMuster(["run", "--cron", file, "-i", refusing, "--limit", "off1"]);
      t.equal(alone.code, 69, "where no node is there, the step fails as before");
    });

    await t.test("a signal ends the wait", async (t) => {
      const run = startMuster(["run", "--cron", pipeline("stopped", {}), "-i", refusing]);
      const ended = waitForExit(run);
      await waitUntil("the log says that it waits", () => /waiting up to/.test(log("stopped")), 60);
      run.kill("SIGTERM");
      t.match(await ended, { code: 143 });
    });
  },
);
