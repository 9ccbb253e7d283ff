import { spawn } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { readDrains } from "../../fleet/drains.js";
import { runMuster } from "../cli/startmuster.js";
import type { LabNode } from "../lab/lab.js";
import { waitUntil } from "../lab/waituntil.js";
import { checkResults, readJournal } from "./checks.js";
import { listHealSteps, shareHealingFleet } from "./healingfleet.js";
import { KnownJob } from "./knownjob.js";

t.setTimeout(300_000);
const { skip, lab, nodes, shop, power, env, prepare } = await shareHealingFleet(t);

t.test(
  "a card that stays sick: its node is emptied, rebooted when nobody else uses it, and works again",
  { skip },
  async (t) => {
    const inventory = prepare();
    const [first] = nodes as [LabNode];
    const agent = "exec python3 -IS -c 'import time; time.sleep(600)' attach /root/.muster/runs/other@rig";
    const other = spawn("ssh", [...lab.sshWords(first), agent], { stdio: ["pipe", "ignore", "ignore"] });
    const job = new KnownJob(shop, "sick", { chunks: 240, seconds: 1 });
    const running = job.start(["-i", inventory], env);
    await waitUntil("it runs", () => job.listRunning(nodes).length > 3);
    power.onOff = (node) => node.setGpus({ sick: [] });
    first.setGpus({ sick: [1] });
    await waitUntil("another run is seen", () => running.stderr().includes("is not healed: run other@rig is on it"));
    t.same(power.cycles, []);
    for (const { pid, argv } of first.processes()) if (argv.at(-1)?.endsWith("other@rig")) process.kill(pid);
    other.kill();
    const { code, err } = await running.ended;
    t.equal(code, 0, err);
    checkResults(t, job);
    t.same(power.cycles, [{ node: first.name, by: "reboot" }]);
    const steps = listHealSteps(job, first.name);
    t.same(steps.slice(0, 2), ["drained", "called off"]);
    t.same(steps.slice(-5), ["drained", "rebooted", "answered", "provisioned", "healed"]);
    t.match(await runMuster(["drain", "-i", inventory]), { out: "no node is drained\n" });
    const failed = readJournal(job.run).filter((entry) => entry.e === "tried");
    t.same(failed, [], "no chunk was lost to the reboot");
  },
);

t.test(
  "a node that comes back with fewer cards again and again is given up, and the run goes on",
  { skip },
  async (t) => {
    const inventory = prepare({ most: "2/day" });
    const job = new KnownJob(shop, "fewer", { chunks: 300, seconds: 1 });
    const running = job.start(["-i", inventory], env);
    await waitUntil("it runs", () => job.listRunning(nodes).length > 3);
    const [first] = nodes as [LabNode];
    power.onOff = (node) => node.setGpus({ absent: [1] });
    first.setGpus({ absent: [1] });
    const { code, err } = await running.ended;
    first.setGpus({ absent: [] });
    t.equal(code, 0, err);
    checkResults(t, job);
    t.same(
      power.cycles.map(({ by }) => by),
      ["reboot", "switch"],
    );
    t.same(listHealSteps(job, first.name).slice(-2), ["failed", "given up"]);
    const drain = readDrains(join(lab.folder, ".muster-drain.json"), Date.now()).get(first.name);
    t.match(drain, {
      healing: undefined,
      reason: /^it was healed 2 times within 24 hours, and needs it again: sick: GPU/,
    });
  },
);
