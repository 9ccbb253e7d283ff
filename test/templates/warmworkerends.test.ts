import { execFileSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { waitUntil } from "../lab/waituntil.js";
import { AgentAttachment, attachAgent, coordinatorNonces, decodeInline, findProcesses } from "./agentdriver.js";

t.setTimeout(600_000);

const SCRIPT = `
import muster, os, sys, time
for chunk in muster.chunks():
    chunk.write("out", b"%d" % os.getpid())
    if chunk.args: time.sleep(600)
`;
const spec = { argv: ["python3", "-c", SCRIPT], outputs: ["out"], warm: {} };

/** Returns the pid of the worker that a chunk ran in. */
async function runWorker(attachment: AgentAttachment, id: string): Promise<number> {
  attachment.start(id, spec);
  return Number(decodeInline((await attachment.waitForDone(id)).outputs[0]));
}

const isAlive = (pid: number) => findProcesses("MUSTER_WORKER=").includes(pid);

t.test("an idle worker ends at once when another run waits for its slot", async (t) => {
  const slots = [{ slot: 0, env: {}, lock: `warm-${process.pid}` }];
  const first = await attachAgent(t, { run: "alpha", slots });
  const worker = await runWorker(first.attachment, "a");
  t.equal(await runWorker(first.attachment, "b"), worker);
  t.ok(isAlive(worker), "it is kept while nobody waits");
  const second = await attachAgent(t, { slots });
  t.equal((await second.attachment.run("c", "true")).exit, 0);
  t.notOk(isAlive(worker));
  t.not(await runWorker(first.attachment, "d"), worker);
});

t.test("the next agent kills the workers of a killed one, idle or not", async (t) => {
  const slots = [0, 1].map((slot) => ({ slot, env: {} }));
  const { folder, attachment, hello } = await attachAgent(t, { slots });
  const idle = await runWorker(attachment, "idle");
  attachment.send({ op: "ack", ids: ["idle"] });
  // It does not read the end of its input.
  process.kill(idle, "SIGSTOP");
  attachment.start("busy", spec, ["hang"], 1);
  await attachment.waitFor((one) => one.ev === "started" && one.id === "busy");
  const busy = () => findProcesses("MUSTER_WORKER=").filter((pid) => findProcesses(folder.root).includes(pid));
  t.equal(busy().length, 2);
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  const next = new AgentAttachment(folder);
  const { held } = await next.open({ slots, ...coordinatorNonces(2) });
  t.match(held, [{ id: "busy", agentDied: true }]);
  await waitUntil("all are gone", () => busy().length === 0);
});

t.test("a program without progress is ended", async (t) => {
  const { attachment } = await attachAgent(t, { progress: 1 });
  const stalling = { argv: ["sh", "-c"], stall: 2 };
  const loop = 'for i in 1 2 3 4 5 6 7; do echo $i 10 > "$MUSTER_PROGRESS"; sleep 0.5; done';
  t.match(await attachment.run("a", loop, stalling), { exit: 0, timeout: false });
  const stalled = await attachment.run("b", 'echo 1 10 > "$MUSTER_PROGRESS"; sleep 600', stalling);
  t.match(stalled, { timeout: true, error: "no progress for 2 s (stall)" });
});

t.test("a worker that keeps more GPU memory than after its first chunk is spent", async (t) => {
  const program = `
import sys
sys.path.insert(0, sys.argv[1])
from muster_agent.gpu.card_health import Card, CardHealth
from muster_agent.attempts.slots import Slot
from muster_agent.attempts.warm_worker import WarmLimits, WarmWorker
slot, beside = Slot(0), Slot(1)
card = Card([slot, beside], "0000:03:00.0", type("Cards", (), {"vendor": "amd"})(), None)
card.baseline_mib = 100
health = CardHealth.__new__(CardHealth)
slot.worker = worker = WarmWorker("key", WarmLimits({}))
beside.worker = WarmWorker("key", WarmLimits({}))
health.judge(card, 1.0, 6000, None)
print(worker.vram_mib, beside.worker.vram_mib)  # nobody knows which of them uses what
beside.worker = None
for used_mib in (3000, 3200, 2500, 3300):
    health.judge(card, 1.0, used_mib, None)
    print(worker.vram_mib, worker.spent)
print(card.baseline_mib, card.unfit_since)`;
  const lines = execFileSync("python3", ["-B", "-c", program, join(projectRoot(), "templates")], { encoding: "utf8" });
  t.same(lines.trim().split("\n"), [
    "None None",
    "3000 None",
    "3000 None",
    "3000 None",
    "3000 it uses 300 MiB more GPU memory than after its first chunk",
    "100 None",
  ]);
});
