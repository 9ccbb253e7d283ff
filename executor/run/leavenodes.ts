import type { KeepLogs } from "./node/attachment.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { RunDirectory } from "./record/rundir.js";
import { StoppedAttempts } from "./results/stoppedattempts.js";
import { leavesAgentsRunning, type RunEnd } from "./runend.js";

/**
 * Leaves the nodes of a run: agents that the next coordinator needs keep running, others are stopped and clean up. Where a run is halted,
 * the logs and states of what still runs are kept. `report`: called where a state could not be kept.
 */
export async function leaveNodes(
  workers: NodeWorker[],
  end: RunEnd,
  { path, replay, journal }: Pick<RunDirectory, "path" | "replay" | "journal">,
  report: (message: string) => void,
): Promise<void> {
  if (leavesAgentsRunning(end)) await Promise.all(workers.map((worker) => worker.detach()));
  else {
    const stopped = new StoppedAttempts(path, replay.loggedAttempts, journal, report);
    const keepLogs: KeepLogs | undefined =
      end.state === "halted" ? (done, source) => stopped.save(done, source) : undefined;
    await Promise.all(workers.map((worker) => worker.stop(keepLogs)));
  }
}
