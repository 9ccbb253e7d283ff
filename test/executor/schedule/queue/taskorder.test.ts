import fc from "fast-check";
import t from "tap";
import { TaskOrder, type TaskRank } from "../../../../executor/schedule/queue/taskorder.js";

const rank = fc.record({
  priority: fc.integer({ min: -1, max: 1 }),
  width: fc.constant(1),
  length: fc.integer({ min: 1, max: 5 }),
  bytes: fc.integer({ min: 0, max: 2 }),
});
const asked = fc.record({ ahead: fc.double({ min: 0, max: 1, noNaN: true }), most: fc.integer({ min: 0, max: 6 }) });

/** The specification of `pick` on a plain list. */
function naive(
  ranks: TaskRank[],
  here: Set<number>,
  { ahead, most }: { ahead: number; most: number },
): number | undefined {
  const highest = Math.max(...[...here].map((index) => ranks[index]!.priority));
  const before = (a: number, b: number) =>
    ranks[b]!.length - ranks[a]!.length || ranks[b]!.bytes - ranks[a]!.bytes || a - b;
  const group = [...here].filter((index) => ranks[index]!.priority === highest).sort(before);
  const sum = group.reduce((all, index) => all + ranks[index]!.length, 0);
  let passed = 0;
  const at = group.find((index) => {
    passed += ranks[index]!.length;
    return passed > Math.min(ahead * sum, sum - 1);
  })!;
  const alike = (index: number) =>
    ranks[index]!.length === ranks[at]!.length && ranks[index]!.bytes === ranks[at]!.bytes;
  const from = group.findIndex(alike);
  return group.slice(from).find((index) => ranks[index]!.length <= most);
}

t.test(
  "property: picks the longest task of the highest priority behind the given share that is short enough",
  async (t) => {
    const lists = fc.tuple(
      fc.array(rank, { minLength: 1, maxLength: 30 }),
      fc.array(asked, { maxLength: 40 }),
      fc.nat(3),
    );
    fc.assert(
      fc.property(lists, ([ranks, asks, gone]) => {
        const here = new Set([...ranks.keys()].filter((index) => index % 4 >= gone));
        const order = new TaskOrder(ranks, (index) => !here.has(index));
        for (const ask of asks) {
          const index = order.pick(ask.ahead, ask.most);
          if (index !== (here.size === 0 ? undefined : naive(ranks, here, ask))) return false;
          if (index === undefined) continue;
          order.remove(index);
          here.delete(index);
        }
        return order.length === [...here].reduce((sum, index) => sum + ranks[index]!.length, 0);
      }),
      { numRuns: 500 },
    );
    t.pass("500 lists");
  },
);
