/** The true state of a slot. `rate`: units a second from each time on. */
export interface TrueSlot {
  node: string;
  slot: number;
  rate: [from: number, rate: number][];
  /** The rate that the inventory claims. */
  guess: number | undefined;
}

/** A node that is away from `from` to `to` (seconds) and returns without its attempts. */
export interface Outage {
  node: string;
  from: number;
  to: number;
}

export interface Cluster {
  slots: TrueSlot[];
  outages: Outage[];
  /** When each node joins, in seconds; a node that is left out joins at once, and Infinity = it never comes. */
  joins?: Map<string, number>;
}

/**
 * Creates the nodes of inventory.yaml: 2 x 29,000 and 3 x 8 x 5,000 seeds/s. `guess` returns the rate that the inventory claims
 * for a true rate.
 */
export function createCluster(guess: (rate: number, gpu: number) => number | undefined): Cluster {
  const nodes: [string, number, number][] = [
    ["zeus", 2, 29_000],
    ["rig-6600", 8, 5_000],
    ["rig-6600b", 8, 5_000],
    ["rig-6600c", 8, 5_000],
  ];
  const slots = nodes.flatMap(([node, gpus, rate]) =>
    Array.from({ length: gpus }, (_, slot): [string, number, number] => [node, slot, rate]),
  );
  return {
    slots: slots.map(([node, slot, rate], gpu) => ({ node, slot, rate: [[0, rate]], guess: guess(rate, gpu) })),
    outages: [],
  };
}

/** Returns the units a second of a slot at a time, whether its node is away or not. */
function rateAt(slot: TrueSlot, time: number): number {
  let now = 0;
  for (const [from, rate] of slot.rate) if (from <= time) now = rate;
  return now;
}

/** Returns when a slot that starts at `from` has finished `units`. */
export function findEnd(slot: TrueSlot, from: number, units: number): number {
  let [time, left] = [from, units];
  for (;;) {
    const rate = rateAt(slot, time);
    const change = slot.rate.find(([at]) => at > time)?.[0] ?? Number.POSITIVE_INFINITY;
    if (left <= rate * (change - time)) return time + left / rate;
    left -= rate * (change - time);
    time = change;
  }
}

/** Returns the fluid bound: when the work would be done if every present slot were always busy, without overhead. */
export function fluidBound({ slots, outages }: Cluster, units: number): number {
  const changes = [
    ...slots.flatMap((slot) => slot.rate.map(([at]) => at)),
    ...outages.flatMap((one) => [one.from, one.to]),
  ];
  const times = [...new Set([0, ...changes])].sort((a, b) => a - b);
  let left = units;
  for (const [index, time] of times.entries()) {
    const away = outages.filter((one) => one.from <= time && time < one.to).map((one) => one.node);
    const sum = slots.reduce((total, slot) => total + (away.includes(slot.node) ? 0 : rateAt(slot, time)), 0);
    const next = times[index + 1] ?? Number.POSITIVE_INFINITY;
    if (left <= sum * (next - time)) return time + left / sum;
    left -= sum * (next - time);
  }
  return Number.POSITIVE_INFINITY;
}

/**
 * Returns the bound of a clairvoyant who knows when each node joins and every rate at every moment: when the work would be done if every
 * slot were busy from then on and paid the overhead (seconds) of one chunk.
 */
export function clairvoyantBound({ slots, outages, joins }: Cluster, units: number, overhead: number): number {
  const steps = slots.flatMap((slot) => listRateSteps(slot, (joins?.get(slot.node) ?? 0) + overhead, outages));
  steps.sort(([a], [b]) => a - b);
  let [time, rate, left] = [0, 0, units];
  for (const [at, change] of steps) {
    if (left <= rate * (at - time)) break;
    left -= rate * (at - time);
    time = at;
    rate += change;
  }
  return time + left / rate;
}

/** Returns the changes of a slot's rate from `start` on, with those of outages. */
function listRateSteps(slot: TrueSlot, start: number, outages: Outage[]): [at: number, change: number][] {
  if (start === Number.POSITIVE_INFINITY) return [];
  const own = outages.filter(({ node }) => node === slot.node);
  const times = [start, ...slot.rate.map(([at]) => at), ...own.flatMap(({ from, to }) => [from, to])];
  const sorted = [...new Set(times)].filter((at) => at >= start && at < Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  let before = 0;
  return sorted.map((at) => {
    const rate = own.some(({ from, to }) => from <= at && at < to) ? 0 : rateAt(slot, at);
    const change = rate - before;
    before = rate;
    return [at, change];
  });
}
