import { Parser, type Result } from "tap-parser";

/** A test that failed: one `t.test` (or a whole file) with an assertion of its own. */
export interface FailedTest {
  file: string;
  /** Its name after those of the tests around it, separated by ` > `; empty for assertions outside of any test. */
  name: string;
  /** Its failed assertions. */
  failures: Pick<Result, "name" | "diag">[];
  /** Comments that it printed. */
  comments: string[];
}

export interface TestCounts {
  passed: number;
  failed: FailedTest[];
  skipped: { file: string; name: string; reason: string }[];
}

/**
 * Counts the tests of one file from the TAP that is written to `parser`. A test counts once, however many assertions it has, and
 * fails with any of its own. A file that fails without a failed test, because it crashed, counts as a failed test.
 */
export class FileTestCounts implements TestCounts {
  passed = 0;
  readonly failed: FailedTest[] = [];
  readonly skipped: TestCounts["skipped"] = [];
  readonly parser = new Parser();

  constructor(readonly file: string) {
    this.countTests(this.parser, []);
  }

  /** To be called when the file's process has ended. `problems`: what was wrong with how it ended. */
  close(problems: string[]): void {
    this.parser.end();
    if (this.passed + this.failed.length + this.skipped.length + problems.length === 0) problems = ["no test in it"];
    const failures = problems.map((name) => ({ name, diag: null }));
    if (problems.length > 0) this.failed.push({ file: this.file, name: "", failures, comments: [] });
  }

  private countTests(parser: Parser, names: string[]): void {
    const own: FailedTest = { file: this.file, name: names.join(" > "), failures: [], comments: [] };
    const failedBefore = this.failed.length;
    let hasAssertion = false;
    parser.on("child", (child: Parser) => this.countTests(child, [...names, child.name]));
    parser.on("comment", (comment: string) => {
      if (!/^# (Subtest: |time=)/.test(comment)) own.comments.push(comment.trimEnd());
    });
    parser.on("assert", (result: Result) => {
      if (!result.closingTestPoint) hasAssertion = this.countAssertion(result, own) || hasAssertion;
    });
    parser.on("complete", ({ ok }: { ok: boolean }) => {
      const isUnexplained = !ok && this.failed.length === failedBefore;
      if (own.failures.length > 0 || isUnexplained) this.failed.push(own);
      else if (hasAssertion) this.passed++;
    });
  }

  /** Adds an assertion to its test. Returns false where it was skipped. */
  private countAssertion(result: Result, own: FailedTest): boolean {
    if (result.skip !== false) {
      const reason = typeof result.skip === "string" ? result.skip : "no reason given";
      const name = [own.name, result.name].filter((part) => part !== "").join(" > ");
      this.skipped.push({ file: own.file, name, reason });
      return false;
    }
    if (!result.ok && result.todo === false) own.failures.push(result);
    return true;
  }
}

/** The sum of the counts of several files. */
export function mergeCounts(counts: TestCounts[]): TestCounts {
  return {
    passed: counts.reduce((sum, { passed }) => sum + passed, 0),
    failed: counts.flatMap(({ failed }) => failed),
    skipped: counts.flatMap(({ skipped }) => skipped),
  };
}
