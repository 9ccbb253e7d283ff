import { setTimeout as sleep } from "node:timers/promises";
import type { MusterError } from "../../../schemas/errors.js";
import type { SlotDemand } from "../../schedule/attempts/slotdemand.js";
import type { Coordinator } from "../coordinator.js";
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
import { endJobs } from "./endpilots.js";
import { findIdlePilots } from "./idlepilots.js";
import { joinsSoon } from "./pilot.js";
import { PilotNodes } from "./pilotnodes.js";
import type { PilotRecords } from "./pilotrecords.js";
import { describeStaying } from "./stayingpilots.js";
import type { UsedCluster } from "./usedcluster.js";

const STEP_MS = 250;
const REFUSED = "its node is refused";
/** How long the pilots of an earlier session are waited for before others get what these may hold. */
const RESUME_SECONDS = 90;

type PilotEnd = Extract<PilotEvent, { type: "over" }>;

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
  private readonly nodes: PilotNodes;

  constructor(
    used: readonly UsedCluster[],
    private readonly coordinator: Coordinator,
    runIds: readonly string[],
    records: PilotRecords,
    private readonly inventory: string,
    private readonly observer: RunObserver,
    private readonly onUnusable: (cluster: string, error: MusterError) => void,
  ) {
    this.nodes = new PilotNodes(coordinator);
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

  /** The pilots that there are, as CLUSTER/ID. */
  get names(): string[] {
    return this.clusters.flatMap(({ used, pilots }) =>
      [...pilots.pilots.values()].flatMap(({ id }) => (id === undefined ? [] : [`${used.cluster.name}/${id}`])),
    );
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
      await Promise.all(this.clusters.map(({ used, pilots }) => this.endUseless(used, pilots)));
      for (const { used, pilots } of this.clusters)
        for (const text of describeStaying(used.cluster, pilots.pilots.values())) this.observer.notice(text);
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

  /** Ends the pilots that no later session can use, and waits until the queue has none of them; says where some may be left. */
  private async endUseless(used: UsedCluster, pilots: ClusterPilots): Promise<void> {
    const released = [...pilots.pilots.values()].filter(({ isReleased }) => isReleased);
    const useless = new Set([...released, ...this.nodes.listRefused(pilots)]);
    const ids = new Set([...useless].map(({ id }) => id));
    if (ids.size === 0) return;
    const { problem } = await endJobs(used.engine, (id) => ids.has(id));
    if (problem === undefined) for (const { token } of useless) pilots.pilots.delete(token);
    else
      this.observer.notice(
        `${used.cluster.name}: pilots ${[...ids].join(", ")} may still run: ${problem}; muster cancel ends them`,
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
    const busy = this.nodes.countAttempts();
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
    this.nodes.noteWorkers(pilots, busy);
    await this.releaseRefused(used, pilots);
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

  /** Gives back pilots whose nodes are refused. */
  private async releaseRefused(used: UsedCluster, pilots: ClusterPilots): Promise<void> {
    for (const pilot of this.nodes.listRefused(pilots).filter(({ isReleased }) => !isReleased)) {
      const { host } = await used.engine.explain(pilot.id!);
      pilots.recordFailure(pilot, this.nodes.workerOf(used.cluster, pilot)!.reason ?? REFUSED, host);
      await pilots.cancel([pilot]).catch(() => {}); // the next look, or the end of the run, tries again
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
    for (const pilot of idle) this.nodes.drain(cluster, pilot, "released: there is nothing for it to do");
    await pilots.cancel(idle).catch(() => {}); // a pilot that was not cancelled ends by its lease, or with the run
  }

  private handle(used: UsedCluster, event: PilotEvent): void {
    switch (event.type) {
      case "started":
        return this.nodes.join(used.cluster, event.pilot, event.secondsLeft);
      case "over":
        return this.noteEnd(used, event);
      case "notice":
        return this.stopping.signal.aborted ? undefined : this.observer.notice(event.message);
      case "unusable":
        this.onUnusable(used.cluster.name, event.error);
        return this.updateExpectation(false);
      default:
        return event satisfies never;
    }
  }

  private noteEnd({ cluster }: UsedCluster, { pilot, end, hasFailed }: PilotEnd): void {
    if (pilot.id === undefined) return;
    const worker = this.nodes.workerOf(cluster, pilot);
    const { pilots } = this.clusters.find(({ used }) => used.cluster === cluster)!;
    if (worker?.state === "refused") {
      // The agent of a node that is refused may end sooner than the pilot is given back.
      if (hasFailed) pilots.recordFailure(pilot, worker.reason ?? REFUSED, end.host);
      return;
    }
    if (hasFailed) pilots.recordFailure(pilot, end.reason ?? "Slurm does not say why", end.host);
    const ended = end.reason === undefined ? "its allocation is over" : `its allocation is over: ${end.reason}`;
    worker?.end(pilot.isReleased ? "it was released" : ended);
  }

  /** Whether nodes may still come: a cluster gives pilots, and what waits may fit one of these. */
  private updateExpectation(hasWaiting: boolean): void {
    const isIdle = hasWaiting && this.coordinator.scheduler.inFlightCount === 0;
    const mayCome = this.clusters.some(
      ({ pilots }) =>
        (pilots.problem === undefined || pilots.unstarted > 0) && !(isIdle && this.nodes.areStuck(pilots)),
    );
    if (mayCome === this.isExpecting) return;
    this.isExpecting = mayCome;
    this.coordinator.expectMoreNodes(mayCome);
  }
}
