/**
 * Reads the test runner's TAP on stdin, prints a line a file as it ends, and ends with the counts. See test/run.
 * The first argument is a failure outside the tests, to be told beside theirs.
 */
import { endLines, fileLines } from "./lines.js";
import { Tallier } from "./tally.js";

function print(lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

const tallier = new Tallier((end) => print(fileLines(end)));
tallier.parser.on("complete", () => {
  const note = process.argv[2];
  if (note) print([`failed: ${note}`]);
  print(endLines(tallier.tally));
  // Nothing passed is no success, whatever the runner thinks of it.
  process.exitCode = tallier.tally.failed.length === 0 && tallier.tally.passed > 0 ? 0 : 1;
});
process.stdin.pipe(tallier.parser);
