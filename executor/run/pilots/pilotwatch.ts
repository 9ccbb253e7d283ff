import { setTimeout as sleep } from "node:timers/promises";
import { createPilotNode } from "../../../fleet/slurm/cluster.js";
import type { MusterError } from "../../../schemas/errors.js";
import type { SlotDemand } from "../../schedule/attempts/slotdemand.js";
import type { Coordinator } from "../coordinator.js";
import type { NodeWorker } from "../node/nodeworker.js";
import type { Journal } from "../record/journal.js";
import type { Leftover } from "../record/leftovers.js";
import type { LivePilot } from "../record/liverun.js";
import type { OpenPilot } from "../record/openpilots.js";
import { leavesAgentsRunning, type RunEnd } from "../runend.js";
import type { RunObserver } from "../runobserver.js";
import { monotonicSeconds } from "../timer.js";
import { ClusterPilots, type PilotEvent } from "./clusterpilots.js";
import { countMissingPilots } from "./decidepilots.js";
import { endOpenPilots } from "./endopenpilots.js";
import { findIdlePilots } from "./idlepilots.js";
import { joinsSoon, nodeNameOf, type Pilot } from "./pilot.js";
import type { PilotRecords } from "./pilotrecords.js";
import { areStuck, usableSeconds } from "./stuckpilots.js";
import type { UsedCluster } from "./usedcluster.js";

const STEP_MS = 250;
/** How long the pilots of an earlier session are waited for before others get what these may hold. */
const RESUME_SECONDS = 90;

/** Gets pilots of clusters for a run while it has work for them, and has them join and leave it. */
export class PilotWatch {
  private readonly clusters: readonly { used: UsedCluster; pilots: ClusterPilots }[];
  private timer: NodeJS.Timeout | undefined;
  private readonly acting = new Map<UsedCluster, Promise<void>>();
  private readonly stopping = new AbortController();
  private isExpecting = true;
  /** Since when some chunk has waited, in monotonic seconds; undefined = none does. */
  private waitingSince: number | undefined;
  /** Pilots of earlier sessions on clusters that this one does not use. */
  private unused: readonly OpenPilot[] = [];
  private readonly beganAt = monotonicSeconds();

  constructor(
    used: readonly UsedCluster[],
    private readonly coordinator: Coordinator,
    runIds: readonly string[],
    records: PilotRecords,
    private readonly inventory: string,
    private readonly observer: RunObserver,
    private readonly onUnusable: (cluster: string, error: MusterError) => void,
  ) {
    this.clusters = used.map((one) => {
      const emit = (event: PilotEvent) => this.handle(one, event);
      return { used: one, pilots: new ClusterPilots(one.cluster, one.engine, runIds, records, emit) };
    });
  }

  /** Begins to look at clusters. `earlier`: pilots of earlier sessions; resolves when those that still run have joined, or after RESUME_SECONDS. */
  async start(earlier: Iterable<OpenPilot>): Promise<void> {
    const find = ({ cluster }: OpenPilot) => this.clusters.find(({ used }) => used.cluster.name === cluster)?.pilots;
    for (const one of earlier) find(one)?.adopt(one);
    this.unused = [...earlier].filter((one) => find(one) === undefined);
    if (this.clusters.length === 0) return;
    this.coordinator.expectMoreNodes(true);
    const resumed = this.clusters.filter(({ pilots }) => pilots.pilots.size > 0);
    const until = monotonicSeconds() + RESUME_SECONDS;
    // Nothing is submitted meanwhile: what one of two looks at once does not have yet, the other would take for over.
    await Promise.all(resumed.map(({ pilots }) => this.endBroken(() => pilots.look())));
    if (this.stopping.signal.aborted) return;
    this.timer = setInterval(() => this.step(), STEP_MS);
    const isResuming = () => resumed.some(({ pilots }) => [...pilots.pilots.values()].some(joinsSoon));
    while (!this.stopping.signal.aborted && monotonicSeconds() < until && isResuming()) await sleep(STEP_MS);
  }

  /** Stops to look at clusters, and submits nothing more. Pilots stay as they are. */
  async stop(): Promise<void> {
    this.stopping.abort();
    clearInterval(this.timer);
    await Promise.all(this.acting.values());
  }

  /**
   * Ends the pilots where no coordinator will come back to them, and waits until their queues have none; else says that they stay. Call it
   * when the nodes have been left. Returns the pilots that may still exist.
   */
  async finish(end: RunEnd, runIds: readonly string[], journal: Journal): Promise<Leftover[]> {
    await this.stop();
    const open = this.clusters.flatMap(({ used, pilots }) =>
      [...pilots.pilots.values(), ...pilots.unseen.values()].map(({ token, id }) => ({
        cluster: used.cluster.name,
        inventory: this.inventory,
        token,
        id,
      })),
    );
    if (leavesAgentsRunning(end)) {
      for (const { used, pilots } of this.clusters) this.noticeStaying(used, pilots);
      return [];
    }
    const find = (_: string, name: string) => this.clusters.find(({ used }) => used.cluster.name === name)?.used.engine;
    return (await endOpenPilots([...open, ...this.unused], runIds, journal, find)).flatMap(
      ({ leftovers }) => leftovers,
    );
  }

  /** The pilots that do not work yet, for those who show them. */
  get waiting(): LivePilot[] {
    return this.clusters.flatMap(({ used, pilots }) =>
      [...pilots.pilots.values()].flatMap(({ id, state, reason }): LivePilot[] =>
        state === "working" ? [] : [{ cluster: used.cluster.name, id, state, reason }],
      ),
    );
  }

  private noticeStaying({ cluster }: UsedCluster, { pilots }: ClusterPilots): void {
    const ids = [...pilots.values()].filter(({ isReleased }) => !isReleased).map(({ id }) => id ?? "?");
    if (ids.length === 0) return;
    const minutes = Math.round(cluster.pilot.leaseSeconds / 60);
    this.observer.notice(
      `${cluster.name}: ${ids.length === 1 ? "pilot" : "pilots"} ${ids.join(", ")} can be taken over by the same command, for ${minutes} min after the start; muster cancel ends what is left`,
    );
  }

  /** Ends the run where this rejects: its disk fails. */
  private async endBroken(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.coordinator.end({ state: "broken", error });
    }
  }

  private step(): void {
    if (this.stopping.signal.aborted) return;
    const busy = this.countAttempts();
    const isOwn = ({ node }: { node: string }) => this.coordinator.workerOf(node)?.node.allocation === undefined;
    const demand = this.coordinator.scheduler.view.estimateDemand(monotonicSeconds(), isOwn);
    this.waitingSince = demand.waitingChunks > 0 ? (this.waitingSince ?? monotonicSeconds()) : undefined;
    for (const { used, pilots } of this.clusters) {
      // A cluster that does not answer holds up no other.
      if (this.acting.has(used)) continue;
      const acting = this.endBroken(() => this.act(used, pilots, demand, busy));
      this.acting.set(
        used,
        acting.finally(() => this.acting.delete(used)),
      );
    }
    this.updateExpectation(demand.waitingChunks > 0);
  }

  private async act(
    used: UsedCluster,
    pilots: ClusterPilots,
    demand: SlotDemand,
    busy: ReadonlyMap<string, number>,
  ): Promise<void> {
    this.noteWorkers(used, pilots, busy);
    await this.releaseIdle(used, pilots, demand);
    if (pilots.canSubmit && !this.stopping.signal.aborted) {
      const missing = this.countMissing(used, pilots, demand);
      if (missing > 0) await pilots.submit(missing, this.stopping.signal);
    }
    if (!this.stopping.signal.aborted) await pilots.lookIfDue();
  }

  private countMissing({ cluster, chunksPerPilot }: UsedCluster, pilots: ClusterPilots, demand: SlotDemand): number {
    const { waitingSeconds, remainingSeconds } = demand;
    // What waits is for the pilots of other clusters, too, that have not started yet.
    const elsewhere = this.clusters.filter((one) => one.pilots !== pilots);
    const promised = elsewhere.reduce((sum, one) => sum + one.pilots.unstarted * one.used.chunksPerPilot, 0);
    const waitingChunks = Math.max(0, demand.waitingChunks - promised);
    const after = cluster.overflowAfterSeconds;
    return countMissingPilots({
      limit: cluster.pilots,
      open: pilots.pilots.size,
      unstarted: pilots.unstarted,
      slotsPerPilot: chunksPerPilot,
      waitingChunks,
      waitingSeconds,
      hasWaitedSeconds: monotonicSeconds() - (this.waitingSince ?? Infinity),
      overflow:
        after === undefined
          ? undefined
          : { afterSeconds: after, remainingSeconds: this.guessRemaining(remainingSeconds) },
    });
  }

  /** Returns how long the machines need: what nothing is known of will take as long again as it has taken. */
  private guessRemaining(remainingSeconds: number | undefined): number {
    const machines = this.coordinator.workers.filter(({ node }) => node.allocation === undefined);
    if (machines.every(({ isHopeless }) => isHopeless)) return Infinity;
    const isKnown = remainingSeconds !== undefined && remainingSeconds < Infinity;
    return isKnown ? remainingSeconds : monotonicSeconds() - this.beganAt;
  }

  /** Takes in what the workers of pilots have noticed: that they work, that they cannot, or that they are silent. */
  private noteWorkers({ cluster }: UsedCluster, pilots: ClusterPilots, busy: ReadonlyMap<string, number>): void {
    const now = monotonicSeconds();
    for (const pilot of pilots.pilots.values()) {
      const worker = this.workerOf(cluster.name, pilot);
      if (worker === undefined) continue;
      if (worker.state === "live" && pilot.state === "starting") pilots.markWorking(pilot);
      const isSilent = worker.state === "silent" || worker.state === "away";
      if (isSilent && !pilot.isSilent) pilots.lookSoon();
      pilot.isSilent = isSilent;
      if (worker.state === "refused" && !pilot.isReleased) {
        pilots.recordFailure(worker.reason ?? "its node is refused");
        void pilots.cancel([pilot]).catch(() => {}); // its lease ends it
      }
      const isIdle = worker.state === "live" && !busy.has(worker.node.name);
      pilot.idleSince = isIdle ? (pilot.idleSince ?? now) : undefined;
    }
  }

  /** Gives back pilots that have had nothing to do for a while, also those that wait, beyond the work that is left for them. */
  private async releaseIdle(used: UsedCluster, pilots: ClusterPilots, { waitingChunks }: SlotDemand): Promise<void> {
    const { cluster } = used;
    const idle = findIdlePilots([...pilots.pilots.values()], used, waitingChunks, monotonicSeconds());
    if (idle.length === 0) return;
    const names = idle.map(({ id }) => id ?? "?").join(", ");
    this.observer.notice(
      `${cluster.name}: ${idle.length === 1 ? "pilot" : "pilots"} ${names} released: there is nothing to do`,
    );
    for (const pilot of idle) {
      const name = this.workerOf(cluster.name, pilot)?.node.name;
      if (name !== undefined)
        this.coordinator.event({
          type: "nodeDrained",
          node: name,
          reason: "released: there is nothing for it to do",
          evict: false,
        });
    }
    await pilots.cancel(idle).catch(() => {}); // a pilot that was not cancelled ends by its lease, or with the run
  }

  private handle(used: UsedCluster, event: PilotEvent): void {
    switch (event.type) {
      case "started":
        return this.join(used, event.pilot, event.secondsLeft);
      case "over": {
        if (event.pilot.id === undefined) return;
        const ended = event.reason === undefined ? "its allocation is over" : `its allocation is over: ${event.reason}`;
        return this.workerOf(used.cluster.name, event.pilot)?.end(event.pilot.isReleased ? "it was released" : ended);
      }
      case "notice":
        return this.stopping.signal.aborted ? undefined : this.observer.notice(event.message);
      case "unusable":
        this.onUnusable(used.cluster.name, event.error);
        return this.updateExpectation(false);
      default:
        return event satisfies never;
    }
  }

  /** Has the node of a pilot join the run. */
  private join({ cluster }: UsedCluster, pilot: Pilot, secondsLeft: number | undefined): void {
    const { timeSeconds } = cluster.request;
    const left = Math.min(secondsLeft ?? timeSeconds, timeSeconds);
    const node = { ...createPilotNode(cluster, pilot.id!), graceSeconds: left + 300 };
    this.coordinator.addNode(node, monotonicSeconds() + left - (timeSeconds - usableSeconds(cluster)));
  }

  /** Whether nodes may still come: a cluster gives pilots, and what waits may fit one of these. */
  private updateExpectation(hasWaiting: boolean): void {
    const isIdle = hasWaiting && this.coordinator.scheduler.inFlightCount === 0;
    const mayCome = this.clusters.some(
      ({ used, pilots }) =>
        (pilots.problem === undefined || pilots.unstarted > 0) && !(isIdle && this.isStuck(used, pilots)),
    );
    if (mayCome === this.isExpecting) return;
    this.isExpecting = mayCome;
    this.coordinator.expectMoreNodes(mayCome);
  }

  private isStuck({ cluster }: UsedCluster, { pilots }: ClusterPilots): boolean {
    const working = [...pilots.values()].filter(({ state, isReleased }) => state === "working" && !isReleased);
    const workers = working.map((pilot) => ({
      idleSince: pilot.idleSince,
      deadline: this.workerOf(cluster.name, pilot)?.deadline ?? Infinity,
    }));
    return areStuck(workers, cluster, monotonicSeconds());
  }

  /** The attempts in flight, by node. */
  private countAttempts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { attempt } of this.coordinator.scheduler.view.inFlight())
      counts.set(attempt.node, (counts.get(attempt.node) ?? 0) + 1);
    return counts;
  }

  private workerOf(cluster: string, pilot: Pilot): NodeWorker | undefined {
    if (pilot.id === undefined) return undefined;
    const used = this.clusters.find((one) => one.used.cluster.name === cluster)!.used;
    return this.coordinator.workerOf(nodeNameOf(used.cluster, pilot));
  }
}
