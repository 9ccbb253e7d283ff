import assert from "node:assert/strict";
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

/** Adds the intervals to an interval set, and their units to a plain set. */
function addAll(added: [start: number, length: number][]): { set: IntervalSet; units: Set<number> } {
  const set = new IntervalSet();
  const units = new Set<number>();
  for (const [start, length] of added) {
    set.add(BigInt(start), BigInt(start + length));
    for (let unit = start; unit < start + length; unit++) units.add(unit);
  }
  return { set, units };
}

/** The maximal intervals of a plain set below 80. */
function intervalsOf(units: Set<number>): [bigint, bigint][] {
  const found: [bigint, bigint][] = [];
  for (let unit = 0; unit < 80; unit++) {
    if (!units.has(unit)) continue;
    const start = unit;
    while (units.has(unit)) unit++;
    found.push([BigInt(start), BigInt(unit)]);
  }
  return found;
}

t.test("contains the units that were added, in any order, as merged intervals", async (t) => {
  fc.assert(
    fc.property(intervals, (added) => {
      const { set, units } = addAll(added);
      assert.equal(set.size(), BigInt(units.size));
      assert.deepEqual([...set], intervalsOf(units));
    }),
  );
  t.pass("every case");
});

t.test("overlaps and findGap agree with a plain set", async (t) => {
  const query = fc.tuple(fc.integer({ min: 0, max: 75 }), fc.integer({ min: 1, max: 20 }));
  fc.assert(
    fc.property(intervals, query, (added, [from, length]) => {
      const { set, units } = addAll(added);
      const asked = Array.from({ length }, (_, at) => from + at);
      assert.equal(
        set.overlaps(BigInt(from), BigInt(from + length)),
        asked.some((unit) => units.has(unit)),
      );
      const start = asked.find((unit) => !units.has(unit));
      const end = start === undefined ? undefined : asked.find((unit) => unit > start && units.has(unit));
      const gap = start === undefined ? undefined : [BigInt(start), BigInt(end ?? from + length)];
      assert.deepEqual(set.findGap(BigInt(from), BigInt(from + length)), gap);
    }),
    { numRuns: 500 },
  );
  t.pass("every case");
});

t.test("equals compares the units, regardless of the order in which they were added", async (t) => {
  fc.assert(
    fc.property(intervals, intervals, (one, other) => {
      const { set, units } = addAll(one);
      const { set: reversed } = addAll([...one].reverse());
      assert.ok(set.equals(reversed) && reversed.equals(set));
      const { set: different, units: others } = addAll(other);
      const isSame = units.size === others.size && [...units].every((unit) => others.has(unit));
      assert.equal(set.equals(different), isSame);
    }),
  );
  const of = (...added: [number, number][]) => addAll(added).set;
  t.notOk(of([0, 2], [5, 2]).equals(of([0, 2], [5, 3])), "an end differs");
  t.notOk(of([0, 2], [5, 2]).equals(of([0, 2], [4, 3])), "a start differs");
  t.notOk(of([0, 2], [5, 2]).equals(of([0, 2])), "an interval is missing");
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
          const piece = source.take(slot, 0);
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
  t.same(source.take(slot, 0), [0n, 10n]);
  t.equal(source.remove(2n ** 64n - 1n, 2n ** 64n), true);
  t.equal(source.left, 2n ** 64n - 11n);
});

t.test("remove takes out units that were added as a whole", async (t) => {
  fc.assert(
    fc.property(intervals, fc.nat(1000), fc.nat(1000), (added, where, length) => {
      const { set, units } = addAll(added);
      const all = [...set];
      if (all.length === 0) return;
      const [from, to] = all[where % all.length]!;
      const start = from + (BigInt(where) % (to - from));
      const end = start + 1n + (BigInt(length) % (to - start));
      set.remove(start, end);
      for (let unit = start; unit < end; unit++) units.delete(Number(unit));
      assert.deepEqual([...set], intervalsOf(units));
    }),
  );
  t.pass("every case");
});
