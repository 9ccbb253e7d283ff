import t from "tap";
import { WorkInProgress } from "../../../../executor/schedule/slots/workinprogress.js";

t.test("a slot counts until its last chunk should have ended", async (t) => {
  const work = new WorkInProgress();
  work.add("a/0", 100, 10, 0);
  work.add("a/1", 50, 4, 0);
  t.same(work.sum(0), { units: 1200, rate: 150 });
  t.same(work.sum(2), { units: 900, rate: 150 });
  work.add("a/0", 100, 5, 2);
  t.same(work.sum(4), { units: 1100, rate: 100 }, "one is about to end, the other one has a second chunk");
  work.remove("a/0");
  t.same(work.sum(4), { units: 0, rate: 0 });
});

t.test("property: the sums are those of the slots one by one", async (t) => {
  let state = 1;
  const number = (most: number) => {
    state = (state * 48_271) % 0x7fffffff;
    return state % most;
  };
  const work = new WorkInProgress();
  const slots = new Map<string, { rate: number; endsAt: number }>();
  for (let step = 0, now = 0; step < 5000; step++, now += number(3)) {
    const key = `n/${number(20)}`;
    if (number(3) === 0) {
      work.remove(key);
      slots.delete(key);
    } else {
      const [rate, seconds] = [1 + number(500), number(30)];
      slots.set(key, { rate, endsAt: Math.max(now, slots.get(key)?.endsAt ?? now) + seconds });
      work.add(key, rate, seconds, now);
    }
    const busy = [...slots.values()].filter(({ endsAt }) => endsAt > now);
    const units = busy.reduce((sum, { rate, endsAt }) => sum + rate * (endsAt - now), 0);
    const rate = busy.reduce((sum, one) => sum + one.rate, 0);
    const found = work.sum(now);
    if (Math.abs(found.units - units) > 1e-3 || found.rate !== rate)
      t.fail(`step ${step}: ${JSON.stringify(found)} instead of ${units} units at ${rate}`);
  }
  t.pass("5,000 steps");
});
