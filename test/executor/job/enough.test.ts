import t from "tap";
import { InvalidFileError } from "../../../schemas/errors.js";
import { jobs } from "./jobfixture.js";

const load = jobs(t);
const job = (enough: string, units = 20) =>
  `kind: matrix\nmatrix: {n: [0, ${units}]}\nscript: w.py\nenough: ${enough}\n`;

t.test("a share of the units is rounded up, and exact", async (t) => {
  const table: [string, number, bigint][] = [
    ["95%", 20, 19n],
    ["95%", 21, 20n],
    ["99.9%", 1000, 999n],
    ["0.1%", 20, 1n],
    ["100%", 20, 20n],
    ["7", 20, 7n],
    ["20", 20, 20n],
  ];
  for (const [enough, units, wanted] of table)
    t.equal(load(job(enough, units)).enough, wanted, `${enough} of ${units}`);
  const range = "kind: range\nrange: [0, 18446744073709551616]\nscript: w.py\n";
  t.equal(load(`${range}enough: 50%\n`).enough, 2n ** 63n);
  t.equal(load(`${range}enough: 18446744073709551615\n`).enough, 2n ** 64n - 1n);
  t.equal(load("kind: matrix\nmatrix: {n: [0, 2]}\nscript: w.py\n").enough, undefined);
  t.equal(load(job("7"), { set: { enough: "50%" } }).enough, 10n);
});

t.test("what cannot be enough is reported at its position", async (t) => {
  const table: [string, RegExp][] = [
    ["120%", /^enough must be a share above 0 and up to 100%, like 95%, or a number of units above 0, not "120%"/],
    ["0", /^enough must be a share .*, not 0$/],
    ["-3", /^enough must be a share .*, not -3$/],
    ["0.5", /^enough must be a share .*, not 0\.5$/],
    ["[1]", /^enough must be a share .*, not a list of 1$/],
    ["21", /^enough: the job has 20 units, fewer than 21$/],
  ];
  for (const [enough, wanted] of table)
    try {
      load(job(enough));
      t.fail(`${enough} is accepted`);
    } catch (error) {
      if (!(error instanceof InvalidFileError)) throw error;
      t.equal(error.problems.length, 1, enough);
      t.match(error.problems[0], { line: 4, column: 9, message: wanted }, enough);
    }
});
