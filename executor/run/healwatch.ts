import { setTimeout as sleep } from "node:timers/promises";
import { drainsFilePath, readDrains } from "../../fleet/drains.js";
import { assembleFleet } from "../../fleet/healing/assemblefleet.js";
import { decideHealing, type HealDecision } from "../../fleet/healing/decidehealing.js";
import type { HealContext, HealOrder, HealStep } from "../../fleet/healing/healcontext.js";
import { giveUpNode, releaseNode } from "../../fleet/healing/healdrain.js";
import { type HealStore, openHealStore } from "../../fleet/healing/healfile.js";
import { healNode } from "../../fleet/healing/healnode.js";
import { recordCondition } from "../../fleet/healing/healrecord.js";
import type { Node } from "../../fleet/node.js";
import { resolveWithin } from "../../fleet/rejectonabort.js";
import { MusterError } from "../../schemas/errors.js";
import type { Coordinator } from "./coordinator.js";
import { isPresent, lookAtWorker } from "./lookatworker.js";
import { awaitAttachment } from "./node/awaitattachment.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { RunContext } from "./runcontext.js";
import type { RunHealing } from "./runhealing.js";
import type { RunObserver } from "./runobserver.js";

/** Between two looks: a quarter of the time that a node must be unwell, within these limits. */
const MIN_LOOK_MS = 500;
const MAX_LOOK_MS = 10_000;
/** The run learns of a drain within a second. */
const DRAIN_SEEN_MS = 1500;
const IDLE_POLL_MS = 500;
/** How long the end of a run waits for healings to end that it has interrupted. */
const STOP_TIMEOUT_MS = 5000;

/** Heals the nodes of a run while it goes on. */
export class HealWatch {
  /** Since when nodes are not attached (Unix time). */
  private readonly awaySinceMs = new Map<string, number>();
  private readonly inProgress = new Map<string, Promise<void>>();
  /** When healings that were called off may be tried again (Unix time). */
  private readonly notBeforeMs = new Map<string, number>();
  /** Why nodes were not healed at the last look. */
  private readonly explained = new Map<string, string>();
  private store: HealStore | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isLooking = false;
  private isNoticed = false;
  private readonly stopping = new AbortController();

  /** `healing`: undefined = the inventory does not ask for it. */
  constructor(
    private readonly healing: RunHealing | undefined,
    private readonly coordinator: Coordinator,
    private readonly run: Pick<RunContext, "id" | "formerIds" | "dialer">,
    private readonly observer: RunObserver,
  ) {}

  /** Looks at the nodes again and again, until `stop`. */
  start(): void {
    if (this.healing === undefined) return;
    const intervalMs = Math.min(Math.max(this.healing.settings.afterSeconds * 250, MIN_LOOK_MS), MAX_LOOK_MS);
    this.timer = setInterval(() => void this.look(), intervalMs);
    this.timer.unref();
  }

  /** Interrupts healings, which have failed then, and sends what is left of the notifications. */
  async stop(): Promise<void> {
    if (this.stopping.signal.aborted) return;
    clearInterval(this.timer);
    this.stopping.abort();
    await resolveWithin(Promise.all(this.inProgress.values()), STOP_TIMEOUT_MS);
    this.inProgress.clear();
    this.closeIfIdle();
    for (const line of (await this.healing?.finish()) ?? []) this.observer.notice(line);
  }

  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      await this.lookAndAct(this.healing!);
    } catch (error) {
      this.handleError(error);
    } finally {
      this.isLooking = false;
      this.closeIfIdle();
    }
  }

  private async lookAndAct(healing: RunHealing): Promise<void> {
    const nowMs = Date.now();
    const { inventory, settings } = healing;
    const machines = this.coordinator.workers.filter(({ node }) => node.allocation === undefined);
    const looks = machines.map((worker) => lookAtWorker(worker, this.findAbsence(worker, nowMs)));
    const drains = readDrains(drainsFilePath(inventory), nowMs);
    const isUneventful = looks.every(
      ({ node, condition }) => condition.kind === "well" && !drains.get(node.name)?.healing,
    );
    if (isUneventful) return;
    this.store ??= openHealStore(inventory);
    const { store } = this;
    if (store === undefined) return; // another muster heals
    for (const { node, condition, boot } of looks)
      if (!this.inProgress.has(node.name))
        store.set(
          node.name,
          recordCondition(store.records.get(node.name), condition, boot, nowMs, settings.afterSeconds),
        );
    const names = new Set(looks.map(({ node }) => node.name).filter((name) => !this.isPaused(name, nowMs)));
    const fleet = await assembleFleet(looks, store.records, drains, names, this.run.dialer);
    for (const decision of decideHealing(fleet, settings, nowMs, new Set(this.inProgress.keys())))
      if (!this.stopping.signal.aborted) await this.carryOut(decision, healing, store);
  }

  private async carryOut(decision: HealDecision, healing: RunHealing, store: HealStore): Promise<void> {
    const worker = this.coordinator.workers.find(({ node }) => node.name === decision.node)!;
    const report = (step: HealStep) => this.report(worker, step);
    switch (decision.do) {
      case "heal":
        this.begin(worker, decision, { ...healing, store, report, ...this.createParts() });
        return;
      case "give up":
        return giveUpNode(worker.node, decision, { ...healing, report });
      case "release":
        return releaseNode(worker.node, { ...healing, report });
      case "leave":
        return this.explain(worker, decision.why);
      case "wait":
        return;
      default:
        return decision satisfies never;
    }
  }

  private createParts(): Pick<HealContext, "dialer" | "ownRuns" | "awaitIdle" | "stop"> {
    const { id, formerIds, dialer } = this.run;
    return {
      dialer,
      ownRuns: ({ name }: Node) => [...formerIds, id].map((one) => `${one}@${name}`),
      awaitIdle: (node) => this.awaitIdle(node),
      stop: this.stopping.signal,
    };
  }

  private begin(worker: NodeWorker, order: HealOrder, context: HealContext): void {
    const { name } = worker.node;
    const { settings } = context;
    worker.isHealing = true;
    const healed = healNode(worker.node, order, context)
      .then(async (end) => {
        if (end === "called off") this.notBeforeMs.set(name, Date.now() + settings.pauseSeconds * 1000);
        if (end !== "healed" || this.stopping.signal.aborted) return;
        worker.rejoin();
        await awaitAttachment(worker);
      })
      .catch((error) => this.handleError(error))
      .finally(() => {
        this.inProgress.delete(name);
        worker.isHealing = false;
        if (this.stopping.signal.aborted) return;
        this.coordinator.endIfStranded();
        this.closeIfIdle();
      });
    this.inProgress.set(name, healed);
  }

  private report(worker: NodeWorker, step: HealStep): void {
    // What a run reports after its end would be in no journal.
    if (this.stopping.signal.aborted && !this.inProgress.has(step.node)) return;
    this.coordinator.reports.reportHealStep(worker, step);
    this.healing?.notify(step);
    if (step.step === "answered") worker.rejoin();
  }

  /** Says why a node is not healed, once for each reason. */
  private explain(worker: NodeWorker, why: string): void {
    const { name } = worker.node;
    if (this.explained.get(name) === why) return;
    this.explained.set(name, why);
    this.observer.nodeWarning(worker, `it is not healed: ${why}`);
  }

  /** Waits until the run has nothing more on a drained node; resolves with what it still has there after `wait` of the inventory. */
  private async awaitIdle({ name }: Node): Promise<string | undefined> {
    const { signal } = this.stopping;
    await sleep(DRAIN_SEEN_MS, undefined, { signal });
    const deadlineMs = performance.now() + this.healing!.settings.waitSeconds * 1000;
    while (performance.now() < deadlineMs) {
      if (this.countAttemptsOn(name) === 0) return undefined;
      await sleep(IDLE_POLL_MS, undefined, { signal });
    }
    return `chunks of this run are still on it (${this.countAttemptsOn(name)})`;
  }

  private countAttemptsOn(name: string): number {
    return [...this.coordinator.scheduler.view.inFlight()].filter(({ attempt }) => attempt.node === name).length;
  }

  /** Returns since when a node is not attached (Unix time). */
  private findAbsence(worker: NodeWorker, nowMs: number): number {
    const { name } = worker.node;
    if (isPresent(worker)) this.awaySinceMs.delete(name);
    else if (!this.awaySinceMs.has(name)) this.awaySinceMs.set(name, nowMs);
    return this.awaySinceMs.get(name) ?? nowMs;
  }

  private isPaused(name: string, nowMs: number): boolean {
    return nowMs < (this.notBeforeMs.get(name) ?? 0);
  }

  private closeIfIdle(): void {
    if (this.isLooking || this.inProgress.size > 0) return;
    this.store?.close();
    this.store = undefined;
  }

  /** Files that cannot be read or written are noticed once: the run goes on without healing. */
  private handleError(error: unknown): void {
    if (!(error instanceof MusterError) && (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    if (!this.isNoticed) this.observer.notice(`cannot heal nodes: ${(error as Error).message}`);
    this.isNoticed = true;
  }
}
