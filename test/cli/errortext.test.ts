import t from "tap";
import { exitStatusOf, formatError } from "../../cli/errortext.js";
import { InvalidFileError, MusterError, UsageError } from "../../schemas/errors.js";

t.test("errors that a user can fix have no stack trace; any other error is a bug with exit 1", async (t) => {
  const place = { file: "job.yaml", line: 3, column: 5 };
  const table: [error: unknown, exit: number, text: RegExp][] = [
    [new UsageError("no such verb", "Try --help."), 64, /^muster: no such verb\n {4}Try --help\.$/],
    [new InvalidFileError([{ ...place, message: "is wrong" }]), 65, /^job\.yaml:3:5: is wrong/],
    [new MusterError("HELD", "it is held", {}), 75, /^muster: it is held$/],
    [
      new TypeError("x is undefined"),
      1,
      /^muster: this is a bug in muster, please report it:\nTypeError: x is undefined\n +at /,
    ],
    ["a word", 1, /^muster: this is a bug in muster, please report it:\na word$/],
  ];
  for (const [error, exit, text] of table) {
    t.equal(exitStatusOf(error), exit);
    t.match(formatError(error), text);
  }
});
