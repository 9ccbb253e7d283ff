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
