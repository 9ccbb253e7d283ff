import t from "tap";
import { chooseChunkSize, type SizingContext } from "../../../../executor/schedule/rates/chunksize.js";
import { OverheadEstimate } from "../../../../executor/schedule/rates/overhead.js";
import { Rates } from "../../../../executor/schedule/rates/rates.js";

function learned(...samples: [units: number, seconds: number][]): Rates {
  const rates = new Rates();
  for (const [units, seconds] of samples) rates.learn(rates.estimateFor("n/0"), units, seconds);
  return rates;
}
const rateOf = (rates: Rates) => rates.estimateFor("n/0").rate!;
const steady = Array.from({ length: 10 }, (): [number, number] => [1000, 10]);

t.test("a rate is a moving average in which a new measurement has the weight 0.3", async (t) => {
  t.equal(Math.round(rateOf(learned(...steady))), 100);
  t.equal(rateOf(learned(...steady, [1000, 8])).toFixed(3), "107.500");
});

t.test("a single outlier is limited, a second one on the same side is believed", async (t) => {
  t.equal(Math.round(rateOf(learned(...steady, [1000, 1000]))), 85, "as if it had been 50");
  t.ok(rateOf(learned(...steady, [1000, 1000], [1000, 1000])) < 62);
});

t.test("the first measurement replaces a guess, and the next ones have more weight", async (t) => {
  const rates = new Rates();
  const speed = rates.estimateFor("n/0");
  speed.rate = 300;
  rates.learn(speed, 1000, 10);
  t.equal(speed.rate, 100);
  rates.learn(speed, 1000, 5);
  t.equal(speed.rate, 150, "two measurements of the same size count alike");
});

t.test("overhead is learned from chunks of different sizes, and rates do not include it", async (t) => {
  const rates = learned([500, 3.5], [4000, 7], [32_000, 35], [100_000, 103]);
  t.ok(Math.abs(rates.overhead.seconds - 3) < 0.1, `${rates.overhead.seconds}`);
  t.ok(Math.abs(rateOf(rates) - 1000) < 20, `${rateOf(rates)}`);
});

function outlook(change: Partial<SizingContext> = {}): SizingContext {
  const overhead = new OverheadEstimate();
  overhead.restore(3);
  return {
    left: 1e12,
    inProgress: { units: 0, rate: 0 },
    slots: 2,
    rate: 2000,
    slowest: 1000,
    overhead,
    deviation: 1,
    ...change,
  };
}

t.test(
  "sizes by time: small at first, growing at most eightfold, then the target, and shrinking at the end",
  async (t) => {
    const by = { by: "time", min: 1 } as const;
    const size = (speed: Parameters<typeof chooseChunkSize>[1], change: Partial<SizingContext> = {}, sizing = {}) =>
      Number(chooseChunkSize({ ...by, ...sizing }, speed, outlook(change)));
    const known = { rate: 1000, evidence: 1e6, outlierSide: 0 } as const;
    t.equal(size({ evidence: 0, outlierSide: 0 }), 500, "nothing is known");
    t.equal(size({ evidence: 0, outlierSide: 0 }, { left: 160 }), 10, "nothing is known, and there is not much");
    t.equal(size({ rate: 1000, evidence: 0, outlierSide: 0 }, { left: 1e7 }), 37_500, "a guess");
    t.equal(size(known, { left: 1e7 }), 300_000, "100 times the overhead");
    t.equal(size(known), 720_000, "in long runs the interval of Young: the root of 2 x 3 s x a day");
    const overhead = new OverheadEstimate();
    const shorter = { overhead, left: 1e5 };
    t.equal(size(known, shorter, { isWarm: true }), 10_000, "10 s, while the overhead of a warm worker is unknown");
    overhead.restore(0.01);
    t.equal(size(known, shorter), 10_000, "not less than 10 s");
    t.equal(size(known, shorter, { isWarm: true }), 2000, "2 s of a warm worker");
    t.equal(size(known, {}, { target: 60 }), 60_000);
    t.equal(size(known, {}, { target: 60, max: 7000 }), 7000);
    t.equal(size({ ...known, lastChunk: { units: 1000, seconds: 4 } }), 8000, "growth");
    t.equal(
      size(known, { left: 100_000 }),
      25_000,
      "half of the 50 s that are left, where durations are far from predictions",
    );
    const later = { ...known, lastChunk: { units: 300_000, seconds: 303 } };
    t.equal(size(known, { left: 100_000, deviation: 0 }), 50_000, "all of them, where durations are as predicted");
    t.equal(size(later, { left: 4000 }), 3000, "not less than the overhead");
    t.equal(
      size(later, { left: 8000, deviation: 0 }),
      4000,
      "all of the 4 s that are left, rather than one more chunk",
    );
    const inProgress = { units: 96_000, rate: 1000 };
    t.equal(size(later, { left: 4000, inProgress }), 25_000, "half of the 50 s until the other slots will end, too");
    t.equal(size(known, { left: 4000, inProgress }), 25_000, "a fair share counts what others have begun");
    const guess = { rate: 1000, evidence: 0, outlierSide: 0 } as const;
    t.equal(size(guess, { left: 120_000 }), 5000, "a guess: a sixth of the 30 s that a measured rate would get");
    t.equal(size(guess, { left: 4000 }), 1000, "a guess, and there is not much");
    t.equal(size(known, { left: 4000 }), 2000, "the first chunk is at most a fair share");
    t.equal(size(known, { left: 4000 }, { min: 9000 }), 9000);
  },
);
