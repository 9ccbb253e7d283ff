import { type Cluster, createPilotNode } from "../../../fleet/slurm/cluster.js";
import type { Coordinator } from "../coordinator.js";
import type { NodeWorker } from "../node/nodeworker.js";
import { monotonicSeconds } from "../timer.js";
import type { ClusterPilots } from "./clusterpilots.js";
import { nodeNameOf, type Pilot } from "./pilot.js";
import { areStuck, usableSeconds } from "./stuckpilots.js";

/** The nodes that pilots are in a run. */
export class PilotNodes {
  constructor(private readonly coordinator: Coordinator) {}

  /** Returns the worker of a pilot's node; undefined = it has not joined. */
  workerOf(cluster: Cluster, pilot: Pilot): NodeWorker | undefined {
    return pilot.id === undefined ? undefined : this.coordinator.workerOf(nodeNameOf(cluster, pilot));
  }

  /** Returns the pilots whose nodes are refused. */
  listRefused({ cluster, pilots }: ClusterPilots): Pilot[] {
    return [...pilots.values()].filter((pilot) => this.workerOf(cluster, pilot)?.state === "refused");
  }

  /** Has the node of a pilot join the run. `secondsLeft`: in Slurm's words; undefined = it does not say. */
  join(cluster: Cluster, pilot: Pilot, secondsLeft: number | undefined): void {
    const { timeSeconds } = cluster.request;
    const left = Math.min(secondsLeft ?? timeSeconds, timeSeconds);
    const node = { ...createPilotNode(cluster, pilot.id!), graceSeconds: left + 300 };
    this.coordinator.addNode(node, monotonicSeconds() + left - (timeSeconds - usableSeconds(cluster)));
  }

  /** Lets nothing more start on the node of a pilot. */
  drain(cluster: Cluster, pilot: Pilot, reason: string): void {
    const name = this.workerOf(cluster, pilot)?.node.name;
    if (name !== undefined) this.coordinator.event({ type: "nodeDrained", node: name, reason, evict: false });
  }

  /** Takes in what the workers of pilots have noticed: that they work, or that they are silent. `busy`: see countAttempts. */
  noteWorkers(pilots: ClusterPilots, busy: ReadonlyMap<string, number>): void {
    const now = monotonicSeconds();
    for (const pilot of pilots.pilots.values()) {
      const worker = this.workerOf(pilots.cluster, pilot);
      if (worker === undefined) continue;
      if (worker.state === "live" && pilot.state === "starting") pilots.markWorking(pilot);
      const isSilent = worker.state === "silent" || worker.state === "away";
      if (isSilent && !pilot.isSilent) pilots.lookSoon();
      pilot.isSilent = isSilent;
      const isIdle = worker.state === "live" && !busy.has(worker.node.name);
      pilot.idleSince = isIdle ? (pilot.idleSince ?? now) : undefined;
    }
  }

  /** Whether what waits fits no pilot of a cluster. */
  areStuck({ cluster, pilots }: ClusterPilots): boolean {
    const working = [...pilots.values()].filter(({ state, isReleased }) => state === "working" && !isReleased);
    const workers = working.map((pilot) => ({
      idleSince: pilot.idleSince,
      deadline: this.workerOf(cluster, pilot)?.deadline ?? Infinity,
    }));
    return areStuck(workers, cluster, monotonicSeconds());
  }

  /** Returns the number of attempts in flight, by node. */
  countAttempts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { attempt } of this.coordinator.scheduler.view.inFlight())
      counts.set(attempt.node, (counts.get(attempt.node) ?? 0) + 1);
    return counts;
  }
}
