import type { LearnedRates } from "../../executor/schedule/rates/rates.js";
import type { ExpectedNode } from "../../executor/schedule/slots/expectednodes.js";
import { slotKey } from "../../executor/schedule/slots/slotstate.js";
import type { Cluster, TrueSlot } from "./cluster.js";
import { SeededRandom } from "./prng.js";

/** A kind of cluster and work. */
export interface CellSetting {
  name: string;
  nodes: number;
  slotsPerNode: number;
  /** The seconds of a chunk before its first unit. */
  overhead: number;
  /** The standard deviation of the logarithm of chunk durations. */
  noise: number;
  /** Whether scripts report progress, so that chunks can be split. */
  progress: boolean;
  /** The first and the last second in which nodes join. */
  joins: [number, number];
  /** The share of the nodes that never come, and of those that are lost for good in the middle of the run. */
  never: number;
  lost: number;
  rates: "bimodal" | "equal" | "drifting";
  /** What is known before the run: the rates of earlier runs, or guesses that are off by up to 3. */
  known: "learned" | "guessed";
}

/** The case of the issue: four nodes of four slots, one of them slow, whose nodes join one after the other. */
const BASE: CellSetting = {
  name: "base",
  nodes: 4,
  slotsPerNode: 4,
  overhead: 0.3,
  noise: 0.05,
  progress: false,
  joins: [0.32, 0.39],
  never: 0,
  lost: 0,
  rates: "bimodal",
  known: "learned",
};

export const QUICK_CELLS: CellSetting[] = [
  BASE,
  { ...BASE, name: "reports progress", progress: true },
  { ...BASE, name: "noise 20 %", noise: 0.2 },
  { ...BASE, name: "guesses off by 3", known: "guessed" },
  { ...BASE, name: "joins over 30 s", joins: [0, 30] },
  { ...BASE, name: "a node never comes", never: 0.25 },
  { ...BASE, name: "a node is lost for good", lost: 0.25 },
  { ...BASE, name: "drifting rates", rates: "drifting" },
  { ...BASE, name: "overhead 0.05 s", overhead: 0.05 },
  { ...BASE, name: "overhead 3 s", overhead: 3 },
  { ...BASE, name: "2 slots", nodes: 2, slotsPerNode: 1 },
];
export const ALL_CELLS: CellSetting[] = [
  ...QUICK_CELLS,
  { ...BASE, name: "overhead 10 s", overhead: 10 },
  { ...BASE, name: "26 slots, noise 20 %, joins over 30 s", nodes: 13, slotsPerNode: 2, noise: 0.2, joins: [0, 30] },
  { ...BASE, name: "200 slots", nodes: 25, slotsPerNode: 8 },
  { ...BASE, name: "200 slots, 20 % never come", nodes: 25, slotsPerNode: 8, never: 0.2 },
  { ...BASE, name: "8,000 slots", nodes: 1000, slotsPerNode: 8 },
];

export const QUICK_SECONDS = [15, 75, 600];
export const ALL_SECONDS = [5, 15, 75, 600, 3600, 36_000];

/** One run of a cell: the true cluster, its work, and what the contestants are told. */
export interface CellRun {
  cluster: Cluster;
  units: number;
  expected: Map<string, ExpectedNode>;
  learned: LearnedRates;
}

const FAST = 600;
const SLOW = 100;

/** Draws a cluster whose slots need about `seconds` for the work. */
export function drawCell(cell: CellSetting, seconds: number, seed: number): CellRun {
  const chance = new SeededRandom(seed);
  const joins = new Map<string, number>();
  const cluster: Cluster = { slots: [], outages: [], joins };
  for (let number = 0; number < cell.nodes; number++) {
    const node = `n${number}`;
    const isSlow = number % 4 === 0;
    joins.set(node, cell.joins[0] + (cell.joins[1] - cell.joins[0]) * chance.next());
    for (let slot = 0; slot < cell.slotsPerNode; slot++)
      cluster.slots.push(drawSlot(cell, node, slot, isSlow, seconds, chance));
    const fate = (number + 0.5 + seed) % cell.nodes;
    if (fate < cell.never * cell.nodes) joins.set(node, Number.POSITIVE_INFINITY);
    if (fate < cell.lost * cell.nodes)
      cluster.outages.push({ node, from: seconds * (0.3 + 0.4 * chance.next()), to: Number.POSITIVE_INFINITY });
  }
  const present = cluster.slots.filter(({ node }) => joins.get(node)! < Number.POSITIVE_INFINITY);
  const units = Math.round(seconds * present.reduce((sum, slot) => sum + slot.rate[0]![1], 0));
  return { cluster, units, ...describeKnown(cell, cluster) };
}

function drawSlot(
  cell: CellSetting,
  node: string,
  slot: number,
  isSlow: boolean,
  seconds: number,
  chance: SeededRandom,
): TrueSlot {
  const first = cell.rates === "equal" ? FAST : isSlow ? SLOW : FAST;
  const rate: TrueSlot["rate"] = [[0, first]];
  if (cell.rates === "drifting")
    for (let step = 1; step <= 8; step++) rate.push([(step * seconds) / 6, rate.at(-1)![1] * chance.logNormal(0.15)]);
  const guess = cell.known === "learned" ? first : isSlow ? first * 3 : first / 3;
  return { node, slot, rate, guess };
}

function describeKnown(cell: CellSetting, { slots }: Cluster): Pick<CellRun, "expected" | "learned"> {
  const expected = new Map<string, { slots: ExpectedNode["slots"][number][] }>();
  const learned: LearnedRates = { overhead: cell.overhead, slots: new Map() };
  for (const { node, slot, guess } of slots) {
    if (!expected.has(node)) expected.set(node, { slots: [] });
    expected.get(node)!.slots.push({ node, slot, gpu: slot, rate: guess });
    if (cell.known === "learned") learned.slots.set(slotKey(node, slot), { rate: guess!, evidence: 100 * guess! });
  }
  if (cell.known === "guessed") learned.overhead = undefined;
  return { expected, learned };
}
