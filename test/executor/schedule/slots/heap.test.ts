import fc from "fast-check";
import t from "tap";
import { Heap, type HeapItem } from "../../../../executor/schedule/slots/heap.js";

interface Member extends HeapItem {
  rank: number;
}

t.test("property: the first item is the least, in whatever order items are added, moved and removed", async (t) => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 20 }), fc.nat(2)), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(steps, (done) => {
      const members: Member[] = Array.from({ length: 10 }, () => ({ rank: 0 }));
      const heap = new Heap<Member>((a, b) => a.rank < b.rank);
      const naive = new Set<Member>();
      for (const [index, rank, what] of done) {
        const member = members[index]!;
        if (what === 0) {
          if (heap.delete(member) !== naive.delete(member)) return false;
        } else {
          member.rank = rank;
          heap.put(member);
          naive.add(member);
        }
        const least = Math.min(...[...naive].map((one) => one.rank));
        if (heap.size !== naive.size || (naive.size > 0 && heap.peek()!.rank !== least)) return false;
        if (members.some((one) => (one.heapIndex !== undefined) !== naive.has(one))) return false;
      }
      return true;
    }),
  );
  t.pass("100 cases");
});
