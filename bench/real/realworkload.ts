import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../test/lab/project.js";
import { type Cluster, createCluster, fluidBound } from "../schedule/cluster.js";

/** The seconds that a chunk takes before its first unit. */
export const OVERHEAD = 0.3;

/** The work of all contestants: `units` units on these GPUs, which take at least `bound` seconds. */
export interface RealWorkload {
  name: string;
  units: number;
  cards: Cluster;
  bound: number;
}

/**
 * Returns two workloads with a bound of about `seconds`: GPUs with constant rates, and one fast GPU that drops to half its
 * rate midway.
 */
export function createWorkloads(seconds: number): RealWorkload[] {
  const [steady, slower] = [createCluster(() => undefined), createCluster(() => undefined)];
  const units = Math.round(seconds * 178_000);
  slower.slots[0]!.rate.push([seconds / 2, slower.slots[0]!.rate[0]![1] / 2]);
  const work = (name: string, cards: Cluster): RealWorkload => ({
    name,
    units,
    cards,
    bound: fluidBound(cards, units),
  });
  return [work("steady", steady), work("one fast card at half its rate from the middle on", slower)];
}

/** Writes the worker and its data into a folder; its clock starts now. Returns that time, in ms since the epoch. */
export function writeWorkload(folder: string, { cards }: RealWorkload): number {
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(projectRoot(), "bench/real/worker.py"), join(folder, "worker.py"));
  const beganMs = Date.now();
  const content = { overhead: OVERHEAD, began: beganMs / 1000, slots: cards.slots };
  writeFileSync(join(folder, "cluster.json"), JSON.stringify(content));
  return beganMs;
}

/** Whether these intervals cover all units exactly once. */
export function isWhole(parts: { start: number; end: number }[], units: number): boolean {
  let at = 0;
  for (const { start, end } of [...parts].sort((a, b) => a.start - b.start)) {
    if (start !== at || end <= start) return false;
    at = end;
  }
  return at === units;
}
