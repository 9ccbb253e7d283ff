import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import t from "tap";
import { connect } from "../../../fleet/connect.js";
import { resolveWithin } from "../../../fleet/rejectonabort.js";
import { connectRelay } from "../../../fleet/relay/relayconnection.js";
import { relayProgram } from "../../../templates/nodeprograms.js";
import { startLab } from "../../lab/lab.js";
import { lackingSlurm } from "../../lab/requirements.js";
import { startSlurm } from "../../lab/slurm.js";
import { waitUntil } from "../../lab/waituntil.js";
import { createNode, toInventoryNode } from "../nodes.js";

const skip = lackingSlurm();
const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");
const JOB = "#!/bin/sh\nexec sleep 600\n";

t.test("a relay in a step of Slurm, over SSH to the login node", { skip }, async (t) => {
  const lab = await startLab({ nodes: 2, user: "rig", gpus: 2 });
  t.teardown(() => lab.stop());
  const slurm = await startSlurm(lab, { gpus: 2 });
  t.teardown(() => slurm.stop());
  const [compute] = slurm.compute;
  const login = await connect(toInventoryNode(slurm.login));
  t.teardown(() => login.close());
  const job = await slurm.submit(JOB, ["--gres=gpu:1"]);
  await slurm.waitForJob(job, "RUNNING");
  const start = async (id: string) => {
    const step = ["srun", "--jobid", id, "--overlap", "-n1", "--quiet", "python3", ...relayProgram().args];
    return connectRelay(await login.open(step), createNode({ name: `lab/${id}` }));
  };
  const connection = await start(job);
  const remote = join("/home/rig", "remote");

  await t.test("says where it is and what Slurm has bound", async (t) => {
    t.match(connection.environment, { SLURM_JOB_ID: job, CUDA_VISIBLE_DEVICES: "0" });
    t.equal(connection.hostname, compute!.name);
    t.match(await connection.exec(["sh", "-c", "pwd; echo $SLURM_JOB_ID"], { timeout: 20 }), {
      stdout: `/home/rig\n${job}\n`,
    });
  });

  await t.test("carries any bytes both ways", async (t) => {
    const data = randomBytes(20_000_000);
    const cat = await connection.open(["cat"]);
    cat.stderr.resume();
    const back = buffer(cat.stdout);
    cat.stdin.end(data);
    t.equal(sha256(await back), sha256(data));
    t.same(await cat.ended, { kind: "exit", code: 0 });
    const files = await connection.files();
    const copy = join(t.testdir(), "copy");
    const began = performance.now();
    await files.upload(data, remote, 0o600);
    const uploaded = performance.now();
    t.same(await files.download(remote, copy, data.length), { size: data.length, sha256: sha256(data) });
    t.ok(readFileSync(copy).equals(data));
    const rate = (from: number, to: number) => Math.round(data.length / 1000 / (to - from));
    t.comment(`${rate(began, uploaded)} MB/s up, ${rate(uploaded, performance.now())} MB/s down`);
    const measureMs = async (work: () => Promise<unknown>) => {
      const times: number[] = [];
      for (let n = 0; n < 21; n++) {
        const begin = performance.now();
        await work();
        times.push(performance.now() - begin);
      }
      return times.sort((a, b) => a - b)[10]!.toFixed(1);
    };
    t.comment(`${await measureMs(() => connection.exec(["true"], { timeout: 20 }))} ms for a program`);
    t.comment(`${await measureMs(() => files.stat("/"))} ms for a file request`);
  });

  await t.test("kills what exceeds its timeout", async (t) => {
    t.match(await connection.exec(["sh", "-c", "sleep 601 & wait"], { timeout: 0.5 }), { kind: "timeout" });
    await waitUntil("it has ended", () => !compute!.processes().some(({ argv }) => argv.includes("601")), 5);
  });

  await t.test("ends with its allocation, and says why", async (t) => {
    // Slurm sends SIGTERM to all processes of the step, and SIGKILL to what remains.
    const agent = await connection.open(["sh", "-c", "trap '' TERM; exec cat"]);
    agent.stdout.resume();
    agent.stderr.resume();
    const uploading = connection
      .files()
      .then((files) => files.upload(Buffer.alloc(400_000_000), `${remote}-2`, 0o600))
      .catch((error) => error);
    await slurm.scancel(job);
    const reason = await resolveWithin(connection.closed, 60_000);
    if (reason === undefined) throw new Error(`the relay goes on: ${slurm.log("slurmctld")}${slurm.log("slurmd")}`);
    t.match(reason, /the relay (ended with exit code [1-9]|was killed)/);
    // The relay reports it where it is the later one to be killed.
    const ended = await agent.ended;
    t.same(ended, ended.kind === "signal" ? { kind: "signal", signal: "SIGKILL" } : { kind: "lost", reason });
    t.match(await uploading, { name: "ConnectionError", code: "LOST" });
    t.comment(reason);
    await connection.close();
    await slurm.waitForJob(job, "over");
    await t.rejects(start(job), { code: "SHELL", message: /the relay ended with exit code 1: srun: error:/ });
  });

  await t.test("leaves the step when it is closed", async (t) => {
    const next = await slurm.submit(JOB);
    await slurm.waitForJob(next, "RUNNING");
    const other = await start(next);
    const begin = performance.now();
    await other.close();
    t.comment(`${Math.round(performance.now() - begin)} ms to close`);
    await waitUntil("the relay has ended", () => !compute!.processes().some(({ argv }) => argv.includes("relay")), 5);
    t.match(await slurm.squeue(), [{ id: next, state: "RUNNING" }]);
    await slurm.scancel(next);
  });
});
