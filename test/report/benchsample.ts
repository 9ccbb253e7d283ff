import type { BenchedCard } from "../../executor/bench/benchcards.js";
import type { BenchFindings } from "../../executor/bench/benchfindings.js";
import { error } from "./samples.js";

const benchCard = (slot: number, rate: number): BenchedCard => ({
  node: "rig",
  slot,
  pci: `0000:0${slot}:00.0`,
  vendor: "amd",
  kind: "RX 6600",
  profile: "rx6600",
  passes: [
    { order: "alone", measurements: [{ slot, rate, seconds: 10 }] },
    { order: "together", measurements: [{ slot, rate, seconds: 10, watts: { mean: 98, max: 101 } }] },
    { order: "together", capWatts: 80, measurements: [], failure: "exit code 1: no memory" },
  ],
});
const [benchSlow, benchWell] = [benchCard(0, 50), benchCard(1, 100)];
const proposed = { path: ["profiles", "rx6600"], key: "power", value: "80W", have: "100W", why: "most work" } as const;
/** All that a bench can find; its diff is of the user's own file. */
export const benched: BenchFindings = {
  folder: "/runs/bench",
  unit: "units/s",
  nodes: [{ node: "rig", cards: [benchSlow, benchWell], problems: [error] }],
  leftOut: [{ node: "b", reason: "run other is on it", next: "Wait" }],
  slow: [{ card: benchSlow, order: "alone", rate: 50, median: 100, alike: 3 }],
  results: { wrong: [{ card: benchSlow, reason: "2 of 3 results differ" }], undecided: [[benchSlow, benchWell]] },
  proposals: [proposed],
  unedited: [{ line: proposed, reason: "is no file" }],
  diffFile: "runs/bench/inventory.diff",
  applyWith: "patch -p1 < runs/bench/inventory.diff",
  notes: ["chunks took 1.0 s"],
};
