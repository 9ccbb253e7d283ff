import t from "tap";
import { queueDepth } from "../../../../executor/schedule/rates/queuedepth.js";

t.test("one chunk is queued while plenty is left, and none at the end", async (t) => {
  const slots = 10;
  const cases: [string, Parameters<typeof queueDepth>, number][] = [
    ["nothing is known", [undefined, 1000, slots, "range"], 1],
    ["short ones", [0.01, 1000, slots, "range"], 4],
    ["short ones, up to the last for each slot", [0.01, 11, slots, "range"], 4],
    ["the last for each slot", [0.01, 10, slots, "range"], 1],
    ["plenty of a range", [5, 81, slots, "range"], 2],
    ["a range whose chunks are shares of what is left", [5, 80, slots, "range"], 1],
    ["tasks", [5, 11, slots, "tasks"], 2],
    ["long ones", [31, 1000, slots, "tasks"], 1],
  ];
  for (const [name, words, depth] of cases) t.equal(queueDepth(...words), depth, name);
});
