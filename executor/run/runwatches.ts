import type { Job } from "../job/job.js";
import type { Asker } from "./ask/asker.js";
import { createAsker } from "./ask/createasker.js";
import { createLiveSource } from "./buildliverun.js";
import type { Coordinator } from "./coordinator.js";
import { DrainWatch, findDrainsFile } from "./drainwatch.js";
import { HealWatch } from "./healwatch.js";
import { PilotRecords } from "./pilots/pilotrecords.js";
import { PilotWatch } from "./pilots/pilotwatch.js";
import type { UsedCluster } from "./pilots/usedcluster.js";
import { QueueWatch } from "./queue/queuewatch.js";
import { LiveFile } from "./record/liverun.js";
import type { RunDirectory } from "./record/rundir.js";
import type { ExcludedNode } from "./record/runsummary.js";
import type { RunContext } from "./runcontext.js";
import type { RunEnd } from "./runend.js";
import type { RunOptions } from "./runoptions.js";

/** A run whose coordinator is about to work. `leftOut`: nodes without work; clusters that turn out to be unusable are added. */
interface WatchedRun {
  job: Job;
  directory: RunDirectory;
  coordinator: Coordinator;
  run: RunContext;
  clusters: readonly UsedCluster[];
  leftOut: ExcludedNode[];
}

/**
 * Everything that goes on beside the coordinator of a run and tells it what happens elsewhere: in the queues of clusters and of the job, in
 * the program that is asked for tasks, and to nodes that are drained or sick. It also keeps live.json.
 */
export class RunWatches {
  readonly pilots: PilotWatch;
  private readonly drains: DrainWatch;
  private readonly healing: HealWatch;
  private live: LiveFile | undefined;
  private queue: QueueWatch | undefined;
  private asker: Asker | undefined;

  constructor(
    private readonly watched: WatchedRun,
    private readonly options: RunOptions,
  ) {
    const { directory, coordinator, run, clusters, leftOut } = watched;
    const { inventory, observer } = options;
    const records = new PilotRecords(directory.journal, inventory);
    const runIds = [...directory.formerIds, directory.id];
    this.pilots = new PilotWatch(clusters, coordinator, runIds, records, inventory, observer, (node, error) => {
      observer.notice(`${error.message}. ${error.next ?? ""}`);
      leftOut.push({ node, reason: error.reason });
    });
    this.drains = new DrainWatch(findDrainsFile(inventory), coordinator, observer);
    this.healing = new HealWatch(options.healing, coordinator, run, observer);
  }

  /** Starts them and shows the run. Resolves when the pilots of earlier sessions that still run have joined. */
  start(): Promise<void> {
    const { job, directory, coordinator, leftOut } = this.watched;
    const { observer } = this.options;
    this.live = new LiveFile(directory.path, createLiveSource(coordinator, this.pilots));
    observer.runStarted(this.live, directory.path, leftOut);
    if (directory.queue !== undefined) {
      const { follower, changes } = directory.queue;
      this.queue = new QueueWatch({ path: directory.path, job }, follower, coordinator, directory.replay, {
        notice: (message) => observer.notice(message),
        isAwaited: () => this.asker?.isAwaited ?? false,
      });
      this.queue.start(changes);
    }
    this.asker = createAsker(job, directory, coordinator, (message) => observer.notice(message));
    this.asker?.start();
    this.drains.start();
    this.healing.start();
    return this.pilots.start(directory.replay.pilots);
  }

  /** Stops them after the work. live.json stays until `close`. */
  async stop({ state }: RunEnd): Promise<void> {
    await this.pilots.stop();
    this.queue?.stop();
    this.drains.stop();
    await this.asker?.stop(state === "complete" || state === "partial");
    await this.healing.stop();
  }

  /** Stops what `stop` has not, after an error, and removes live.json. */
  async close(): Promise<void> {
    this.queue?.stop();
    await this.asker?.stop(false);
    this.drains.stop();
    await this.healing.stop();
    await this.pilots.stop();
    this.live?.close();
  }
}
