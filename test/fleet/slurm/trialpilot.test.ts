import t from "tap";
import type { Connection } from "../../../fleet/connection.js";
import { ConnectionError } from "../../../fleet/connectionerror.js";
import type { AllocationEnd, AllocationState } from "../../../fleet/engine.js";
import { SlurmEngine } from "../../../fleet/slurm/slurmengine.js";
import { runTrial, type TrialEngine } from "../../../fleet/slurm/trialpilot.js";
import { createCluster } from "./clusters.js";
import { FakeLogin } from "./fakelogin.js";

const STEP_ERROR = "the relay ended with exit code 1: srun: error: Slurm job 7 has expired";

/** An engine whose job 7 is in these states, one look after another, and whose step fails. */
class FailingEngine implements TrialEngine {
  readonly cluster = createCluster();
  readonly route = undefined;
  readonly cancelled: string[] = [];

  constructor(
    private readonly states: (AllocationState["state"] | "over")[],
    private readonly end: string | undefined,
  ) {}

  async submit(): Promise<string> {
    return "7";
  }

  async list(): Promise<ReadonlyMap<string, AllocationState>> {
    const state = this.cancelled.length > 0 ? "over" : this.states.length > 1 ? this.states.shift()! : this.states[0]!;
    return new Map(state === "over" ? [] : [["7", { jobName: "x", state }]]);
  }

  async open(): Promise<Connection> {
    throw new ConnectionError("SHELL", { node: "hpc/7", step: "start the relay" }, STEP_ERROR);
  }

  async cancel(ids: readonly string[]): Promise<void> {
    this.cancelled.push(...ids);
  }

  async explain(): Promise<AllocationEnd> {
    return { reason: this.end, host: undefined };
  }
}

const run = (engine: TrialEngine) => runTrial(engine, { signal: new AbortController().signal, onState: () => {} });

t.test("a step that fails because the job has ended: the reason of the end is said", async (t) => {
  const why = "there is no python9 on the compute node";
  for (const states of [
    ["running", "ending"],
    ["running", "over"],
    ["running", "running", "running", "over"],
  ] as const) {
    const engine = new FailingEngine([...states], why);
    const text = `job 7 ended before it could work: ${why}`;
    t.match(await run(engine), { what: "pilot", isOk: false, text, next: /`modules`, `setup`, `python`/ }, `${states}`);
    t.strictSame(engine.cancelled, ["7"]);
  }
});

t.test("a step that fails although the job goes on says why itself", async (t) => {
  const engine = new FailingEngine(["running"], undefined);
  t.match(await run(engine), { isOk: false, text: new RegExp(STEP_ERROR) });
  t.strictSame(engine.cancelled, ["7"]);
});

t.test("Slurm knows the exit code while it still cleans up", async (t) => {
  const table: [shown: string, reason: string | undefined][] = [
    ["JobState=COMPLETING Reason=NonZeroExitCode ExitCode=82:0", "there is no python3 on the compute node"],
    ["JobState=FAILED Reason=NonZeroExitCode ExitCode=82:0", "there is no python3 on the compute node"],
    ["JobState=COMPLETING Reason=None ExitCode=0:15", undefined],
    ["JobState=NODE_FAIL Reason=NodeDown ExitCode=0:0", "node fail"],
  ];
  for (const [shown, reason] of table) {
    const found = ["srun", "sbatch", "squeue", "scancel", "scontrol", "sinfo"].map(
      (name) => `found ${name} /bin/${name}`,
    );
    const login = new FakeLogin(([path]) => ({
      stdout: path === "/bin/sh" ? `${found.join("\n")}\n` : `JobId=7 ${shown}\n`,
    }));
    const engine = new SlurmEngine(createCluster(), async () => login);
    t.equal((await engine.explain("7")).reason, reason, shown);
    await engine.close();
  }
});
