import { spawn } from "node:child_process";
import { once } from "node:events";
import t from "tap";
import { connectLocal } from "../../fleet/local/localconnection.js";
import { connectRelay } from "../../fleet/relay/relayconnection.js";
import { relayProgram } from "../../templates/nodeprograms.js";
import { createNode } from "../fleet/nodes.js";

const JOB = `9${process.pid}`;

async function openRelay(job: string) {
  const channel = await (await connectLocal(createNode({ connection: "local" }))).open([
    "python3",
    ...relayProgram(job).args,
  ]);
  return connectRelay(channel, createNode({ name: "hpc/9" }));
}

t.test("a relay outside of an allocation takes the environment of its processes", async (t) => {
  const env = { PATH: process.env.PATH, SLURM_JOB_ID: JOB, CUDA_VISIBLE_DEVICES: "1,3", OTHER: "a=b\nc" };
  const agent = spawn("sleep", ["60"], { env });
  t.teardown(() => agent.kill());
  await once(agent, "spawn");
  const relay = await openRelay(JOB);
  t.teardown(() => relay.close());
  t.match(relay.environment, { SLURM_JOB_ID: JOB, CUDA_VISIBLE_DEVICES: "1,3" });
  const { stdout } = await relay.exec(["/bin/sh", "-c", 'printf %s "$OTHER"'], { timeout: 20 });
  t.equal(stdout, "a=b\nc", "its programs have all of it");
});

t.test("where there is no process of the allocation, it says so", async (t) => {
  await t.rejects(openRelay(`${JOB}0`), { code: "SHELL", message: new RegExp(`no process of job ${JOB}0 runs here`) });
});
