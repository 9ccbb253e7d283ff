import type { Job } from "../../job/job.js";
import { sequentialIds } from "../attempts/attemptids.js";
import type { Attempt } from "../events.js";
import { IntervalSet } from "../queue/intervalset.js";
import type { LearnedRates } from "../rates/rates.js";
import { Scheduler } from "../scheduler.js";
import type { ExpectedNode } from "../slots/expectednodes.js";
import { slotKey } from "../slots/slotstate.js";
import { Simulator } from "./simulator.js";

/** The most chunks that are simulated; the rest is extrapolated. */
const MAX_SIMULATED_CHUNKS = 3000;

/** What a slot is expected to do. `seconds`: from the start of the run to the end of the slot's last chunk. */
export interface SlotForecast {
  chunks: number;
  units: bigint;
  seconds: number;
}

/** What is known before nodes have joined: from the inventory, and from earlier runs. */
export interface ForecastInputs {
  expected: ReadonlyMap<string, ExpectedNode>;
  learned: LearnedRates;
}

/**
 * Simulates a run in which every slot has its expected rate and every chunk its expected cost, with the real scheduler on a
 * virtual clock. `done`: units that need no computing. Returns the forecast by slot key; undefined if a rate or a cost is
 * unknown.
 */
export function forecast(
  job: Job,
  known: ForecastInputs,
  done = new IntervalSet(),
): Map<string, SlotForecast> | undefined {
  const scheduler = new Scheduler(job, sequentialIds(), { ...known, done });
  const slots = [...known.expected.values()].flatMap((node) => node.slots);
  const shares = new Map(slots.map((slot) => [slotKey(slot.node, slot.slot), { chunks: 0, units: 0n, seconds: 0 }]));
  const secondsOf = durationModel(scheduler, known.learned.overhead ?? 0);
  const chooseLoading = loadingModel(job, known.learned.loading ?? 0);
  const loadings = new Map<string, number>();
  let isUnknown = false;
  let chunks = 0;
  const simulator = new Simulator(scheduler, {
    endOf(attempt, now) {
      const seconds = secondsOf(attempt);
      isUnknown ||= seconds === undefined;
      const loading = chooseLoading(attempt);
      loadings.set(attempt.id, loading);
      return seconds === undefined ? undefined : now + loading + seconds;
    },
    loadingOf: ({ id }) => loadings.get(id) ?? 0,
    onCommit({ node, slot, chunk }) {
      const share = shares.get(slotKey(node, slot))!;
      share.chunks++;
      share.units += chunk.end - chunk.start;
      share.seconds = simulator.clock.now;
      chunks++;
    },
  });
  const nodes = [...known.expected].filter(([, node]) => node.slots.length > 0);
  simulator.open(nodes.map(([node, { slots, limit = slots.length }]) => ({ node, slots, limit })));
  simulator.run(() => isUnknown || chunks === MAX_SIMULATED_CHUNKS);
  return isUnknown ? undefined : extrapolate(shares, job.units - done.size());
}

/** Returns the seconds of an attempt at its slot's initial rate: what is learned from simulated durations is no information. */
function durationModel(scheduler: Scheduler, overhead: number): (attempt: Attempt) => number | undefined {
  const rates = new Map<string, number | undefined>();
  return ({ chunk, node, slot }) => {
    const key = slotKey(node, slot);
    if (!rates.has(key)) rates.set(key, scheduler.view.rateOf(node, slot));
    const [rate, cost] = [rates.get(key), scheduler.view.costOf(chunk)];
    return rate === undefined || cost === undefined ? undefined : overhead + cost / rate;
  };
}

/**
 * Returns how many seconds of an attempt that is about to begin a warm worker loads: one for each first chunk of a worker. That workers
 * are also replaced after failures, and for another value of `isolate_by`, is not foreseen.
 */
function loadingModel({ warm }: Job, loading: number): (attempt: Attempt) => number {
  const counts = new Map<string, number>();
  return ({ node, slot }) => {
    const key = slotKey(node, slot);
    const count = counts.get(key) ?? 0;
    counts.set(key, count + 1);
    return warm !== undefined && count % (warm.chunks ?? Number.POSITIVE_INFINITY) === 0 ? loading : 0;
  };
}

/** Scales the simulated part to all of the work. The units add up to it, and no chunk has less than one. */
function extrapolate(shares: Map<string, SlotForecast>, units: bigint): Map<string, SlotForecast> {
  const played = [...shares.values()].reduce((sum, share) => sum + share.units, 0n);
  if (played >= units || played === 0n) return shares;
  const factor = Number(units) / Number(played);
  let [before, given] = [0n, 0n];
  const scaled = (share: SlotForecast): SlotForecast => {
    before += share.units;
    const own = (before * units) / played - given;
    given += own;
    const chunks = share.units === 0n ? 0 : Math.round((share.chunks * Number(own)) / Number(share.units));
    return { chunks, units: own, seconds: share.seconds * factor };
  };
  return new Map([...shares].map(([key, share]) => [key, scaled(share)]));
}
