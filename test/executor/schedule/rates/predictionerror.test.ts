import t from "tap";
import { PredictionError } from "../../../../executor/schedule/rates/predictionerror.js";

t.test("the error follows the spread of durations, and one outlier does not dominate it", async (t) => {
  const error = new PredictionError();
  const before = error.deviation;
  for (let count = 0; count < 200; count++) error.learn(10, 10);
  t.ok(error.deviation < before / 2, `exact predictions: ${error.deviation}`);
  for (let count = 0; count < 200; count++) error.learn(10, count % 2 === 0 ? 13 : 8);
  t.ok(Math.abs(error.deviation - 0.24) < 0.03, `a quarter off: ${error.deviation}`);
  const spread = error.deviation;
  error.learn(10, 1e6);
  t.ok(error.deviation < spread + 0.1, `one outlier: ${error.deviation}`);
});

t.test("what an earlier run has learned counts like the assumption that it replaces", async (t) => {
  const earlier = new PredictionError();
  earlier.learn(10, 10);
  t.equal(earlier.learned, undefined, "one chunk tells nothing");
  for (let count = 0; count < 200; count++) earlier.learn(10, count % 2 === 0 ? 13 : 8);
  const later = new PredictionError();
  later.restore(earlier.learned!);
  t.equal(later.deviation.toFixed(6), earlier.deviation.toFixed(6));
  for (let count = 0; count < 20; count++) later.learn(10, 10);
  t.ok(later.deviation < earlier.deviation / 1.5, `new chunks count: ${later.deviation}`);
});
