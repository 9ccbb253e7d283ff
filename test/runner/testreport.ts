import { stringify } from "yaml";
import type { FailedTest, FileTestCounts, TestCounts } from "./testcounts.js";

/** The source of a compiled test file: dist/test/fleet/x.test.js -> test/fleet/x.test.ts. */
function sourcePath(file: string): string {
  return file.replace(/^dist\//, "").replace(/\.test\.js$/, ".test.ts");
}

/** A line for a file that has ended, and the details of what failed in it. */
export function formatFile({ file, passed, failed }: FileTestCounts, durationMs: number): string[] {
  const counts = failed.length === 0 ? `${passed} passed` : `${passed} passed, ${failed.length} failed`;
  const mark = failed.length === 0 ? "ok  " : "FAIL";
  const head = `${mark}  ${sourcePath(file)}  ${counts}, ${(durationMs / 1000).toFixed(1)} s`;
  return [head, ...failed.flatMap(formatFailure)];
}

function formatFailure(failed: FailedTest): string[] {
  const details = failed.failures.flatMap((failure) => {
    const diagnostics = failure.diag === null ? "" : stringify(failure.diag, { lineWidth: 0 }).trimEnd();
    return [
      `  not ok: ${failure.name}`,
      ...diagnostics
        .split("\n")
        .filter(Boolean)
        .map((line) => `    ${line}`),
    ];
  });
  const comments = failed.comments.flatMap((comment) => comment.split("\n"));
  return [
    `  ${formatTitle(failed)}`,
    ...[...details, ...comments.map((line) => `  ${line}`)].map((line) => `  ${line}`),
  ];
}

function formatTitle(item: { file: string; name: string }): string {
  return item.name === "" ? `${sourcePath(item.file)} (the file itself)` : item.name;
}

/** The end of the output: skipped tests with their reasons, failed tests, and as the last line the counts. */
export function formatSummary(counts: TestCounts): string[] {
  const failed = counts.failed.map((item) => `failed: ${sourcePath(item.file)}: ${formatTitle(item)}`);
  const skipped = counts.skipped.map(
    (item) => `skipped: ${sourcePath(item.file)}: ${formatTitle(item)}: ${item.reason}`,
  );
  const totals = [`${counts.passed} passed`, `${counts.failed.length} failed`];
  if (skipped.length > 0) totals.push(`${skipped.length} skipped`);
  return [...skipped, ...failed, totals.join(", ")];
}
