import { stringify } from "yaml";
import type { FailedTest, FileTestCounts, TestCounts } from "./testcounts.js";

/** dist/test/fleet/x.test.js -> test/fleet/x.test.ts, which is what one would open. */
function sourcePath(file: string): string {
  return file.replace(/^dist\//, "").replace(/\.test\.js$/, ".test.ts");
}

/** One line for a file that has ended, and what failed in it. */
export function formatFile({ file, passed, failed }: FileTestCounts, milliseconds: number): string[] {
  const counts = failed.length === 0 ? `${passed} passed` : `${passed} passed, ${failed.length} failed`;
  const mark = failed.length === 0 ? "ok  " : "FAIL";
  const head = `${mark}  ${sourcePath(file)}  ${counts}, ${(milliseconds / 1000).toFixed(1)} s`;
  return [head, ...failed.flatMap(formatFailure)];
}

function formatFailure(failed: FailedTest): string[] {
  const details = failed.failures.flatMap((failure) => {
    const diag = failure.diag === null ? "" : stringify(failure.diag, { lineWidth: 0 }).trimEnd();
    return [
      `  not ok: ${failure.name}`,
      ...diag
        .split("\n")
        .filter(Boolean)
        .map((line) => `    ${line}`),
    ];
  });
  const said = failed.comments.flatMap((comment) => comment.split("\n"));
  return [`  ${formatTitle(failed)}`, ...[...details, ...said.map((line) => `  ${line}`)].map((line) => `  ${line}`)];
}

function formatTitle(item: { file: string; name: string }): string {
  return item.name === "" ? `${sourcePath(item.file)} (the file itself)` : item.name;
}

/** The end of the output: who failed, who was skipped and why, and the counts as the last line. */
export function formatSummary(tally: TestCounts): string[] {
  const failed = tally.failed.map((item) => `failed: ${sourcePath(item.file)}: ${formatTitle(item)}`);
  const skipped = tally.skipped.map(
    (item) => `skipped: ${sourcePath(item.file)}: ${formatTitle(item)}: ${item.reason}`,
  );
  const counts = [`${tally.passed} passed`, `${tally.failed.length} failed`];
  if (skipped.length > 0) counts.push(`${skipped.length} skipped`);
  return [...skipped, ...failed, counts.join(", ")];
}
