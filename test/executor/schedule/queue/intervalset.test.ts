import fc from "fast-check";
import t from "tap";
import { IntervalSet } from "../../../../executor/schedule/queue/intervalset.js";
import { SequentialSource } from "../../../../executor/schedule/queue/sequentialsource.js";
import type { SlotState } from "../../../../executor/schedule/slots/slotstate.js";

/** The source does not look at the slot if the size is fixed. */
const slot = {} as SlotState;

const intervals = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 12 })), {
  maxLength: 30,
});

t.test("contains the units that were added, in any order", async (t) => {
  fc.assert(
    fc.property(intervals, (added) => {
      const coverage = new IntervalSet();
      const naive = new Set<number>();
      for (const [start, length] of added) {
        coverage.add(BigInt(start), BigInt(start + length));
        for (let unit = start; unit < start + length; unit++) naive.add(unit);
      }
      if (coverage.size() !== BigInt(naive.size)) return false;
      for (let unit = 0; unit < 80; unit++)
        if (coverage.overlaps(BigInt(unit), BigInt(unit + 1)) !== naive.has(unit)) return false;
      return true;
    }),
  );
  t.pass("300 cases");
});

t.test("a sequential source gives out every remaining unit once, in order, in pieces of any size", async (t) => {
  fc.assert(
    fc.property(
      intervals,
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
      (removed, sizes) => {
        let size = 0n;
        const source = new SequentialSource(0n, 72n, () => size);
        const given = new Set<bigint>();
        for (const [start, length] of removed) {
          const [from, to] = [BigInt(start), BigInt(start + length)];
          if (source.remove(from, to)) for (let unit = from; unit < to; unit++) given.add(unit);
        }
        for (let turn = 0; ; turn++) {
          size = BigInt(sizes[turn % sizes.length]!);
          const piece = source.take(slot);
          if (piece === undefined) break;
          for (let unit = piece[0]; unit < piece[1]; unit++) {
            if (given.has(unit)) return false;
            given.add(unit);
          }
        }
        return given.size === 72 && source.left === 0n;
      },
    ),
  );
  t.pass("every unit once");
});

t.test("2^64 units cost little and stay exact", async (t) => {
  const source = new SequentialSource(0n, 2n ** 64n, () => 10n);
  t.same(source.take(slot), [0n, 10n]);
  t.equal(source.remove(2n ** 64n - 1n, 2n ** 64n), true);
  t.equal(source.left, 2n ** 64n - 11n);
});
