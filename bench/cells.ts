/**
 * Compares muster's scheduler with loop schedulers of the literature in many settings, on a virtual clock. See bench/README.md.
 *     npm run bench:cells        a part of the table, in about a minute
 *     npm run bench:allcells     all of it
 */
import { type CellScore, scoreCell } from "./schedule/cellcontest.js";
import { type CellSetting, QUICK_CELLS, QUICK_SECONDS } from "./schedule/cells.js";

const SEEDS = [1, 2, 3, 4];

/** Prints the table of these cells: the mean and the worst ratio to the bound of muster, and the best other contestant. */
export function printCells(cells: readonly CellSetting[], durations: readonly number[]): void {
  console.log(
    "makespan over the bound of a clairvoyant: mean and worst; * = more than 1 % behind the best that is not told the true rates",
  );
  for (const cell of cells)
    for (const seconds of durations) {
      const [muster, ...others] = scoreCell(cell, seconds, SEEDS);
      console.log(formatRow(cell, seconds, muster!, others));
    }
}

function formatRow(cell: CellSetting, seconds: number, muster: CellScore, others: CellScore[]): string {
  const best = Math.min(...others.slice(0, -1).map(({ mean }) => mean));
  const figures = others.map(({ name, mean }) => `${name} ${mean.toFixed(3)}`).join(", ");
  const mark = muster.mean > 1.01 * best ? "*" : " ";
  return `${cell.name.padEnd(38)} ${String(seconds).padStart(6)} s  muster ${muster.mean.toFixed(3)} worst ${muster.worst.toFixed(3)} ${mark} ${figures}`;
}

if (import.meta.filename === process.argv[1]) printCells(QUICK_CELLS, QUICK_SECONDS);
