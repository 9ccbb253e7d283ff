import type { KeepLogs } from "./node/attachment.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { RunDirectory } from "./record/rundir.js";
import { StoppedLogs } from "./results/stoppedlogs.js";
import { leavesAgentsRunning, type RunEnd } from "./runend.js";

/**
 * Leaves the nodes of a run: agents that the next coordinator needs keep running, others are stopped and clean up. Where a run is halted,
 * the logs of what still runs are kept.
 */
export async function leaveNodes(
  workers: NodeWorker[],
  end: RunEnd,
  { path, replay, journal }: Pick<RunDirectory, "path" | "replay" | "journal">,
): Promise<void> {
  if (leavesAgentsRunning(end)) await Promise.all(workers.map((worker) => worker.detach()));
  else {
    const logs = new StoppedLogs(path, replay.loggedAttempts, journal);
    const keepLogs: KeepLogs | undefined =
      end.state === "halted" ? (done, source) => logs.save(done, source) : undefined;
    await Promise.all(workers.map((worker) => worker.stop(keepLogs)));
  }
}
