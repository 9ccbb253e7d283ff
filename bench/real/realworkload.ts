import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../test/lab/project.js";
import { type Cluster, createCluster, fluidBound } from "../schedule/cluster.js";

/** Seconds that a chunk takes before its first unit. */
export const OVERHEAD = 0.3;

/** What all contestants have to do: so many units on these cards, which take `bound` seconds at the very least. */
export interface RealWorkload {
  name: string;
  units: number;
  cards: Cluster;
  bound: number;
}

/** Two settings of about `seconds` at the least: cards that keep their speed, and one fast card that loses half of it in mid-run. */
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

/** Lays the worker and what it has to know into a folder; its time begins now. */
export function writeWorkload(folder: string, { cards }: RealWorkload): void {
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(projectRoot(), "bench/real/worker.py"), join(folder, "worker.py"));
  const content = { overhead: OVERHEAD, began: Date.now() / 1000, slots: cards.slots };
  writeFileSync(join(folder, "cluster.json"), JSON.stringify(content));
}

/** Whether these stretches are all of the work, each unit once. */
export function isWhole(parts: { start: number; end: number }[], units: number): boolean {
  let at = 0;
  for (const { start, end } of [...parts].sort((a, b) => a.start - b.start)) {
    if (start !== at || end <= start) return false;
    at = end;
  }
  return at === units;
}
