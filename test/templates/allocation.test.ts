import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { createBatchScript } from "../../fleet/slurm/batchscript.js";
import { agentProgram, joinProgram } from "../../templates/nodeprograms.js";
import { createCluster } from "../fleet/slurm/clusters.js";
import { waitUntil } from "../lab/waituntil.js";
import { AgentAttachment, AgentFolder, decodeInline, findProcesses } from "./agentdriver.js";

t.setTimeout(300_000);

/** The batch script of a pilot, run by bash as Slurm would, outside of Slurm. Its processes and folders are gone after the test. */
class Allocation {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "allocation-")));
  readonly workdir: string;
  readonly root: string;
  private readonly script: string;
  private process: ChildProcess | undefined;
  stderr = "";

  /** `killSeconds`: from SIGTERM to SIGKILL, as the batch script says. */
  constructor(test: Test, { workdir = "muster-%j", keys = "time: 1h", killSeconds = 30 } = {}) {
    this.workdir = join(this.folder, workdir.replace("%j", "77"));
    this.root = join(this.workdir, "runs/r1@hpc-77");
    const cluster = createCluster(`workdir: ${join(this.folder, workdir)}, ${keys}`);
    this.script = join(this.folder, "script");
    writeFileSync(this.script, createBatchScript(cluster, "r1", agentProgram(), killSeconds));
    test.teardown(() => {
      this.process?.kill("SIGKILL");
      for (const pid of findProcesses(this.folder)) process.kill(pid, "SIGKILL");
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  start(): void {
    this.process = spawn("/bin/bash", [this.script], {
      cwd: "/",
      env: { ...process.env, SLURM_JOB_ID: "77", MUSTER_TEST: "exported" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.process.stderr!.on("data", (data) => {
      this.stderr += data;
    });
  }

  /** Attaches to the agent, as a step of the allocation does. */
  join(): AgentAttachment {
    const folder = new AgentFolder(this.workdir, "r1@hpc-77");
    return new AgentAttachment(folder, {}, joinProgram(agentProgram()));
  }

  /** Warns the batch script, as Slurm does. */
  warn(): void {
    this.process!.kill("SIGTERM");
  }

  /** Resolves with the exit code of the batch script, and the seconds that it took to end. */
  async waitForEnd(): Promise<{ code: number | null; seconds: number }> {
    const begin = performance.now();
    if (this.process!.exitCode === null) await once(this.process!, "exit", { signal: AbortSignal.timeout(60_000) });
    return { code: this.process!.exitCode, seconds: (performance.now() - begin) / 1000 };
  }
}

function startAllocation(t: Test, settings: ConstructorParameters<typeof Allocation>[1] = {}) {
  const allocation = new Allocation(t, settings);
  allocation.start();
  return allocation;
}

t.test("a coordinator that comes first waits for the agent, whose folder goes with it", async (t) => {
  const allocation = new Allocation(t);
  const attachment = allocation.join();
  allocation.start();
  await attachment.open();
  const done = await attachment.run("1", "echo $MUSTER_TEST $SLURM_JOB_ID");
  t.match(
    [done, decodeInline(done.stdout)],
    [{ exit: 0 }, "exported 77\n"],
    "chunks have the environment of the script",
  );
  attachment.send({ op: "ack", ids: ["1"] });
  await attachment.stop();
  t.equal((await allocation.waitForEnd()).code, 0);
  t.notOk(existsSync(allocation.workdir));
  t.equal(allocation.stderr, "");
});

t.test("a folder that others share stays, but not the run's", async (t) => {
  const allocation = startAllocation(t, { workdir: "shared" });
  mkdirSync(join(allocation.workdir, "other"), { recursive: true });
  const attachment = allocation.join();
  await attachment.open();
  await attachment.stop();
  await allocation.waitForEnd();
  t.strictSame([existsSync(join(allocation.workdir, "other")), existsSync(allocation.root)], [true, false]);
});

t.test("another coordinator joins the same agent after one is gone", async (t) => {
  const allocation = startAllocation(t);
  const first = allocation.join();
  await first.open();
  first.start("1", {}, ["sleep 1; echo late"]);
  await first.waitFor((one) => one.ev === "started");
  await first.disconnect();
  const second = allocation.join();
  await second.open();
  t.match(await second.waitForDone("1"), { exit: 0 });
  await second.stop();
  await allocation.waitForEnd();
});

t.test("SIGTERM ends chunks, whose results are handed over before the folder goes", async (t) => {
  const allocation = startAllocation(t);
  const attachment = allocation.join();
  await attachment.open({
    slots: [
      { slot: 0, env: {} },
      { slot: 1, env: {} },
    ],
  });
  const early = await attachment.run("1", "echo result");
  attachment.start("2", {}, ["sleep 600"], 1);
  await attachment.waitFor((one) => one.ev === "started" && one.id === "2");
  allocation.warn();
  t.match(await attachment.waitForDone("2"), { cancelled: true });
  t.match(await attachment.waitFor((one) => one.ev === "broken" && one.slot === 0), { reason: "its allocation ends" });
  await new Promise((resolve) => setTimeout(resolve, 4000));
  t.ok(existsSync(allocation.root), "it waits for what was not collected");
  t.equal(decodeInline(early.stdout), "result\n");
  attachment.send({ op: "ack", ids: ["1", "2"] });
  const { code, seconds } = await allocation.waitForEnd();
  t.equal(code, 0);
  t.ok(seconds < 15, `${seconds} s after the last was collected`);
  t.notOk(existsSync(allocation.workdir));
  await waitUntil("no process is left", () => findProcesses(allocation.folder).length === 0, 20);
});

t.test("results that nobody collects go before SIGKILL", async (t) => {
  const allocation = startAllocation(t, { killSeconds: 8 });
  const attachment = allocation.join();
  await attachment.open();
  await attachment.run("1", "echo result");
  allocation.warn();
  const { seconds } = await allocation.waitForEnd();
  t.ok(seconds > 3 && seconds < 8, `${seconds} s`);
  t.notOk(existsSync(allocation.workdir));
});

t.test("SIGTERM without a coordinator", async (t) => {
  const allocation = startAllocation(t);
  const attachment = allocation.join();
  await attachment.open();
  attachment.start("1", {}, ["sleep 600"]);
  await attachment.waitFor((one) => one.ev === "started");
  await attachment.disconnect();
  allocation.warn();
  const { seconds } = await allocation.waitForEnd();
  t.ok(seconds < 20, `${seconds} s`);
  t.notOk(existsSync(allocation.workdir));
  await waitUntil("no process is left", () => findProcesses(allocation.folder).length === 0, 20);
});

t.test("SIGTERM while the agent starts", async (t) => {
  const allocation = startAllocation(t);
  await waitUntil("the folder is there", () => existsSync(allocation.root), 20);
  allocation.warn();
  await allocation.waitForEnd();
  t.notOk(existsSync(allocation.workdir));
});

t.test("the lease ends an allocation that no coordinator uses", async (t) => {
  const allocation = startAllocation(t);
  const attachment = allocation.join();
  await attachment.open({ lease: 1 });
  await attachment.disconnect();
  await allocation.waitForEnd();
  t.notOk(existsSync(allocation.workdir));
});

t.test("a program that SIGTERM reached before the agent has not failed", async (t) => {
  const allocation = startAllocation(t);
  const attachment = allocation.join();
  await attachment.open();
  const failed = await attachment.run("1", "exit 7");
  t.match(failed, { exit: 7, cancelled: false }, "another one has");
  attachment.start("2", {}, ["echo $$; kill -TERM $$; sleep 9"]);
  await attachment.waitFor((one) => one.ev === "started" && one.id === "2");
  allocation.warn();
  t.match(await attachment.waitForDone("2"), { cancelled: true });
});

t.test("a folder that others could replace is refused with an exit code", async (t) => {
  const allocation = new Allocation(t, { workdir: "open" });
  mkdirSync(allocation.workdir);
  chmodSync(allocation.workdir, 0o777);
  allocation.start();
  t.equal((await allocation.waitForEnd()).code, 77);
});
