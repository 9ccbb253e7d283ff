import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { formatBytes } from "../../schemas/bytecount.js";
import { MusterError } from "../../schemas/errors.js";
import { Dialer } from "../connect.js";
import type { Connection } from "../connection.js";
import { gatherFacts } from "../facts.js";
import type { ClusterCheck } from "./checkcluster.js";
import { type Cluster, createPilotNode } from "./cluster.js";
import type { SlurmEngine } from "./slurmengine.js";

/** The time limit of the pilot: Slurm's unit is the minute. */
const TRIAL_SECONDS = 60;
/** How long the pilot may wait in the queue, and how long its end is waited for. */
const MAX_WAIT_SECONDS = 300;
const MAX_END_SECONDS = 60;
const LOOK_MS = 2000;
/** The agent needs so long to end with an error, if it cannot use its folder. */
const SETTLE_MS = 2000;

/** A step fails a moment before squeue shows that its job is over. */
const MAX_NOTICE_MS = 6000;

/** What a trial needs of a cluster's engine. */
export type TrialEngine = Pick<SlurmEngine, "cluster" | "submit" | "list" | "open" | "cancel" | "explain" | "route">;

/** What a trial tells its caller meanwhile. `state`: "job 17 waits (Priority)". */
export interface TrialOptions {
  signal: AbortSignal;
  onState(state: string): void;
}

/**
 * Submits one pilot with a time limit of a minute, and checks what only its compute node can tell. Cancels it in the end, and waits until
 * it is gone. The check is not in order where the pilot is refused, does not start within five minutes, or cannot work.
 */
export async function tryPilot(cluster: Cluster, options: TrialOptions): Promise<ClusterCheck> {
  const dialer = new Dialer();
  try {
    return await runTrial(
      dialer.engineOf({ ...cluster, request: { ...cluster.request, timeSeconds: TRIAL_SECONDS } }),
      options,
    );
  } finally {
    await dialer.closeEngines();
  }
}

/** Runs the trial on an engine whose cluster has the short time limit. */
export async function runTrial(engine: TrialEngine, options: TrialOptions): Promise<ClusterCheck> {
  let id: string | undefined;
  try {
    id = await engine.submit({ jobName: `muster-doctor-${randomBytes(4).toString("hex")}`, run: "doctor" });
    await awaitStart(engine, id, options);
    return await lookInside(engine, id, options);
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { what: "pilot", isOk: false, text: error.reason, next: error.next };
  } finally {
    if (id !== undefined) await end(engine, id);
  }
}

/** Rejects with the reason for which the job has ended, where that is why it cannot be looked into. */
async function lookInside(engine: TrialEngine, id: string, { signal }: TrialOptions): Promise<ClusterCheck> {
  try {
    const connection = await engine.open(createPilotNode(engine.cluster, id), { signal });
    try {
      return await inspectNode(engine, id, connection);
    } finally {
      await connection.close();
    }
  } catch (error) {
    if (!(error instanceof MusterError) || error instanceof TrialEndError || signal.aborted) throw error;
    throw (await noticeEnd(engine, id)) ? await createEndError(engine, id) : error;
  }
}

/** Whether the job ends within a moment. */
async function noticeEnd(engine: TrialEngine, id: string): Promise<boolean> {
  const until = performance.now() + MAX_NOTICE_MS;
  try {
    for (;;) {
      if ((await engine.list()).get(id)?.state !== "running") return true;
      if (performance.now() > until) return false;
      await sleep(LOOK_MS / 2);
    }
  } catch (error) {
    if (error instanceof MusterError) return false;
    throw error;
  }
}

async function awaitStart(engine: TrialEngine, id: string, { signal, onState }: TrialOptions): Promise<void> {
  const until = performance.now() + MAX_WAIT_SECONDS * 1000;
  let said: string | undefined;
  for (;;) {
    if (signal.aborted) throw new MusterError("ABANDONED", `job ${id} was cancelled: interrupted`);
    const job = (await engine.list()).get(id);
    if (job === undefined || job.state === "ending") throw await createEndError(engine, id);
    if (job.state === "running") return;
    const waits = `job ${id} waits${job.reason === undefined ? "" : ` (${job.reason})`}`;
    if (waits !== said) onState(waits);
    said = waits;
    if (performance.now() > until) {
      const next = "The request is possible, but what it asks for is taken: ask for less, or try another partition.";
      throw new MusterError("TIMEOUT", `${waits} after ${MAX_WAIT_SECONDS} s, and was cancelled`, { next });
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
  }
}

async function inspectNode(engine: TrialEngine, id: string, connection: Connection): Promise<ClusterCheck> {
  const { gres } = engine.cluster.request;
  await sleep(SETTLE_MS);
  const job = (await engine.list()).get(id);
  if (job?.state !== "running") throw await createEndError(engine, id);
  const { hostname, python, disk } = await gatherFacts(connection, "without-gpus");
  const { profile, allocation } = connection.node;
  const way = engine.route === "ssh" ? ", reached over SSH because srun does not" : "";
  const where = `job ${id} ran on ${hostname} with Python ${python}${way}`;
  const folder = disk === null ? "" : `, ${formatBytes(disk.free)} free at ${disk.path}`;
  if (profile.vendor === "none") return { what: "pilot", isOk: true, text: `${where}${folder}` };
  const bound = allocation?.devices?.length ?? 0;
  if (bound > 0)
    return { what: "pilot", isOk: true, text: `${where}${folder}, GPUs ${allocation!.devices!.join(", ")}` };
  const next =
    "Ask the cluster's operators whether gres.conf names the device files; or set `profile` to the GPUs' vendor.";
  return { what: "pilot", isOk: false, text: `${where}, but Slurm bound no GPU for gres ${gres}`, next };
}

/** A trial whose job has ended. */
class TrialEndError extends MusterError {}

async function createEndError(engine: TrialEngine, id: string): Promise<TrialEndError> {
  const reason = (await engine.explain(id)).reason ?? "Slurm does not say why";
  const next = "Correct `modules`, `setup`, `python` or `workdir` of the cluster in the inventory.";
  return new TrialEndError("SLURM", `job ${id} ended before it could work: ${reason}`, { next });
}

/** Cancels a job and waits until it is gone. Its time limit ends it where Slurm cannot be asked. */
async function end(engine: TrialEngine, id: string): Promise<void> {
  const until = performance.now() + MAX_END_SECONDS * 1000;
  try {
    await engine.cancel([id]);
    while ((await engine.list()).has(id) && performance.now() < until) await sleep(LOOK_MS / 2);
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
  }
}
