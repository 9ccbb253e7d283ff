import { hostname } from "node:os";
import type { InFlightAttempt } from "../schedule/attempts/inflight.js";
import type { ScheduleView } from "../schedule/attempts/scheduleview.js";
import { slotNumbersOf } from "../schedule/slots/slotnumbers.js";
import { isConnected, type SlotState, slotKey } from "../schedule/slots/slotstate.js";
import type { AttemptProgress } from "./attemptprogress.js";
import type { Coordinator } from "./coordinator.js";
import type { NodeWorker } from "./node/nodeworker.js";
import type { RunCounters } from "./record/counters.js";
import {
  ENDS_TOO_SOON,
  LIVE_VERSION,
  type LiveAttempt,
  type LiveNode,
  type LivePilot,
  type LiveRun,
  type LiveSlot,
  type LiveUsage,
  MAX_LIVE_NODES,
  MAX_LIVE_SLOTS,
} from "./record/liverun.js";
import type { GpuUsage } from "./record/usagesums.js";
import type { ReportedValues } from "./reportedvalues.js";
import { WallClock } from "./wallclock.js";

/** What a live view is made from. */
export interface LiveSources {
  schedule: ScheduleView;
  workers: readonly NodeWorker[];
  counters: RunCounters;
  progress: AttemptProgress;
  values: ReportedValues;
  clock: WallClock;
  /** Those that do not work yet. */
  pilots: readonly LivePilot[];
}

/** Returns a function that returns what the run of a coordinator does now. */
export function createLiveSource(
  { scheduler, workers, counters, progress, values }: Coordinator,
  pilots: { readonly waiting: readonly LivePilot[] },
): () => LiveRun {
  const clock = new WallClock();
  return () =>
    buildLiveRun({ schedule: scheduler.view, workers, counters, progress, values, clock, pilots: pilots.waiting });
}

/** The attempts in flight, by slot. */
interface SlotLoad {
  running?: InFlightAttempt;
  queued: number;
}

/** Returns what a run does now. Its size is bounded, however many slots there are; the time is proportional to them. */
function buildLiveRun(sources: LiveSources): LiveRun {
  const { schedule, workers, counters, clock } = sources;
  const { job } = counters;
  clock.update();
  const load = collectLoad(sources);
  const addresses = new Map(workers.map(({ node, slotMonitor }) => [node.name, slotMonitor.addresses]));
  const slots: LiveSlot[] = [];
  const drained = new Map<string, string>();
  const deadlines = new Map<string, number>();
  let slotCount = 0;
  for (const slot of schedule.slots()) {
    if (slot.health.drained !== undefined) drained.set(slot.node, slot.health.drained);
    if (slot.home.deadline !== undefined) deadlines.set(slot.node, slot.home.deadline);
    if (++slotCount <= MAX_LIVE_SLOTS) {
      const pci = addresses.get(slot.node)?.get(slot.slot);
      slots.push({ ...describeSlot(slot, load.bySlot.get(slot.key), sources), ...(pci === undefined ? {} : { pci }) });
    }
  }
  const units = job.units - counters.units - counters.failedUnits - load.units;
  const perUnit = schedule.secondsPerUnit();
  const overhead = schedule.costlyOverhead;
  const prices = new Map(workers.map(({ node }) => [node.name, node.pricePerKwh]));
  const usage = counters.usage.summarize((node) => prices.get(node));
  const used = new Map(usage?.nodes.map((one) => [one.node, one]));
  const nodes = selectShownWorkers(workers).map((worker) => ({
    ...describeNode(worker, counters, load.byNode, drained),
    ...describeDeadline(deadlines.get(worker.node.name), clock),
    ...describeUsage(used.get(worker.node.name)),
  }));
  const omitted = { nodes: workers.length - nodes.length, slots: slotCount - slots.length };
  return {
    version: LIVE_VERSION,
    name: job.name,
    kind: job.kind,
    session: counters.session,
    pid: process.pid,
    host: hostname(),
    since: clock.toIso(counters.began / 1000),
    written: new Date().toISOString(),
    chunks: counters.outcomes,
    units: { done: `${counters.units}`, session: `${sumUnits(counters)}`, total: `${job.units}` },
    waiting: {
      units: `${units > 0n ? units : 0n}`,
      ...(units <= 0n
        ? { seconds: 0 }
        : perUnit === undefined
          ? {}
          : { seconds: roundSeconds(Number(units) * perUnit) }),
    },
    ...(job.queue === undefined ? {} : { queue: job.queue.isOpen ? "open" : "closed" }),
    ...(counters.refusedTasks === 0 ? {} : { refusedTasks: counters.refusedTasks }),
    running: load.running,
    usableSlots: schedule.usableSlots,
    collecting: load.collecting,
    ...(overhead === undefined ? {} : { overhead }),
    ...describeUsage(usage),
    nodes,
    slots,
    ...(sources.pilots.length === 0 ? {} : { pilots: sources.pilots.slice(0, MAX_LIVE_NODES) }),
    ...(omitted.nodes + omitted.slots === 0 ? {} : { omitted }),
  };
}

/** Pilots that have ended are the first to be left out. */
function selectShownWorkers(workers: readonly NodeWorker[]): readonly NodeWorker[] {
  if (workers.length <= MAX_LIVE_NODES) return workers;
  const order = (worker: NodeWorker) => Number(worker.state === "ended");
  return [...workers].sort((one, other) => order(one) - order(other)).slice(0, MAX_LIVE_NODES);
}

/** Groups the attempts in flight by slot, counts them, and forgets the progress of those that have ended. */
function collectLoad({ schedule, progress, values }: LiveSources) {
  const bySlot = new Map<string, SlotLoad>();
  const byNode = new Map<string, number>();
  let [running, collecting, units] = [0, 0, 0n];
  for (const one of schedule.inFlight()) {
    const { id, chunk, node, slot } = one.attempt;
    const numbers = slotNumbersOf(one.attempt);
    // A recheck's units are committed already, and a copy's are those of its original.
    const copy = one.speculativeCopy;
    const isOnlyAttempt = copy === undefined || copy.phase === "queued" || copy.attempt.id > id;
    if (chunk.firstResult === undefined && isOnlyAttempt && one.phase !== "queued") units += chunk.end - chunk.start;
    if (one.phase === "collecting") {
      collecting++;
      continue;
    }
    const load = bySlot.get(slotKey(node, slot)) ?? { queued: 0 };
    bySlot.set(slotKey(node, slot), load);
    if (one.phase === "queued") load.queued++;
    else {
      for (const number of numbers) {
        const key = slotKey(node, number);
        bySlot.set(key, { ...(bySlot.get(key) ?? { queued: 0 }), running: one });
      }
      running++;
      byNode.set(node, (byNode.get(node) ?? 0) + numbers.length);
    }
  }
  progress.prune();
  values.prune();
  return { bySlot, byNode, running, collecting, units };
}

function describeSlot(state: SlotState, load: SlotLoad | undefined, sources: LiveSources): LiveSlot {
  const { node, slot, gpu } = state;
  const reason = findReason(state, sources.schedule.hasWaitingWork);
  const rate = sources.schedule.measuredRate(state);
  return {
    node,
    slot,
    ...(gpu === undefined ? {} : { gpu }),
    ...(reason === undefined ? {} : { reason }),
    ...(rate === undefined ? {} : { rate: Number(rate.toPrecision(4)) }),
    ...(load === undefined || load.queued === 0 ? {} : { queued: load.queued }),
    ...(load?.running === undefined ? {} : { running: describeAttempt(load.running, sources) }),
  };
}

/** Returns why a slot gets no work; undefined = it may get some, or there is none. */
function findReason(
  { broken, health, holder, isMemoryShort, home, endsTooSoon }: SlotState,
  hasWaitingWork: boolean,
): string | undefined {
  if (!isConnected(home)) return "its node is not connected";
  if (holder !== undefined) return `waits for ${holder}`;
  if (isMemoryShort) return "waits for memory";
  const drained = health.drained && `its node is ${health.drained}`;
  const ending = endsTooSoon && hasWaitingWork ? ENDS_TOO_SOON : undefined;
  return broken ?? drained ?? health.sick?.reason ?? health.quarantine?.reason ?? ending;
}

function describeAttempt(inFlight: InFlightAttempt, { schedule, progress, values, clock }: LiveSources): LiveAttempt {
  const { attempt, since, speculativeCopy, preemptedBy } = inFlight;
  const { number, chunk } = attempt;
  const expected = schedule.expectedSeconds(inFlight);
  const reported = progress.find(attempt);
  const value = values.find(attempt.id).at(-1);
  const text = preemptedBy === undefined ? reported?.text : `ends for run ${preemptedBy}`;
  return {
    chunk: chunk.id,
    attempt: number,
    units: `${chunk.end - chunk.start}`,
    ...(attempt.slots === undefined ? {} : { slots: attempt.slots }),
    since: clock.toIso(since),
    ...(expected === undefined ? {} : { expectedSeconds: roundSeconds(expected) }),
    ...(reported === undefined
      ? {}
      : { progress: Number(reported.share.toFixed(4)), progressAt: clock.toIso(reported.at) }),
    ...(reported?.units === undefined ? {} : { unitsDone: `${reported.units}` }),
    ...(value === undefined ? {} : { value: { step: value[0], value: value[1] } }),
    ...(text === undefined ? {} : { text }),
    ...(preemptedBy === undefined ? {} : { preemptedBy }),
    ...(speculativeCopy === undefined && chunk.firstResult === undefined ? {} : { isCopy: true }),
  };
}

function describeNode(
  worker: NodeWorker,
  counters: RunCounters,
  running: ReadonlyMap<string, number>,
  drains: ReadonlyMap<string, string>,
): LiveNode {
  const { name } = worker.node;
  const drained = drains.get(name);
  const { chunks, units, failedAttempts, disabledSlots } = counters.forNode(name);
  const reason = worker.state === "connecting" ? worker.firstAnswer.describeDelay() : worker.reason;
  return {
    node: name,
    state: worker.state,
    ...(worker.state === "live" || reason === undefined ? {} : { reason }),
    slots: worker.slots.length,
    running: running.get(name) ?? 0,
    disabledSlots: [...disabledSlots.values()].filter(({ back }) => !back).length,
    memoryWaitingSlots: worker.slotMonitor.memoryWaitingSlots,
    ...(drained === undefined ? {} : { drained }),
    chunks,
    units: `${units}`,
    failedAttempts,
  };
}

function describeDeadline(deadline: number | undefined, clock: WallClock): { until?: string } {
  return deadline === undefined ? {} : { until: clock.toIso(deadline) };
}

function describeUsage(usage: GpuUsage | undefined): { usage?: LiveUsage } {
  if (usage === undefined) return {};
  const { wattHours, unitsPerWattHour, cost, throttled, idleSeconds } = usage;
  return { usage: { wattHours, unitsPerWattHour, cost, throttled, idleSeconds } };
}

function sumUnits({ nodes }: RunCounters): bigint {
  let sum = 0n;
  for (const { units } of nodes.values()) sum += units;
  return sum;
}

function roundSeconds(seconds: number): number {
  return Number(seconds.toPrecision(4));
}
