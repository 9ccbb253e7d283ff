import { Parser, type Result } from "tap-parser";

/** A test: one `t.test` (or a whole file) that asserts something itself. */
export interface FailedTest {
  file: string;
  /** Names of the tests around it and its own, ` > ` between them; empty for a file's own assertions. */
  name: string;
  /** What failed in it. */
  failures: Pick<Result, "name" | "diag">[];
  /** What it said beside that. */
  comments: string[];
}

export interface TestCounts {
  passed: number;
  failed: FailedTest[];
  skipped: { file: string; name: string; reason: string }[];
}

/**
 * Reads what one file of tests writes (TAP, into `parser`) and counts tests, not assertions: a test fails when anything of its
 * own does. A file that fails without a failed test in it, e.g. one that crashed, counts as a failed test.
 */
export class FileTestCounts implements TestCounts {
  passed = 0;
  readonly failed: FailedTest[] = [];
  readonly skipped: TestCounts["skipped"] = [];
  readonly parser = new Parser();

  constructor(readonly file: string) {
    this.countTests(this.parser, []);
  }

  /** The file's process has ended; `wrong`: what was wrong with its end, where anything was. */
  close(wrong: string[]): void {
    this.parser.end();
    if (this.passed + this.failed.length + this.skipped.length + wrong.length === 0) wrong = ["no test in it"];
    const failures = wrong.map((name) => ({ name, diag: null }));
    if (wrong.length > 0) this.failed.push({ file: this.file, name: "", failures, comments: [] });
  }

  private countTests(parser: Parser, names: string[]): void {
    const own: FailedTest = { file: this.file, name: names.join(" > "), failures: [], comments: [] };
    const failedBefore = this.failed.length;
    let asserted = false;
    parser.on("child", (child: Parser) => this.countTests(child, [...names, child.name]));
    parser.on("comment", (comment: string) => {
      if (!/^# (Subtest: |time=)/.test(comment)) own.comments.push(comment.trimEnd());
    });
    parser.on("assert", (result: Result) => {
      if (!result.closingTestPoint) asserted = this.countAssertion(result, own) || asserted;
    });
    parser.on("complete", ({ ok }: { ok: boolean }) => {
      const unexplained = !ok && this.failed.length === failedBefore;
      if (own.failures.length > 0 || unexplained) this.failed.push(own);
      else if (asserted) this.passed++;
    });
  }

  /** Takes one assertion into its test; true where it is one that counts (skipped ones do not). */
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

/** The tallies of several files as one. */
export function mergeCounts(tallies: TestCounts[]): TestCounts {
  return {
    passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
    failed: tallies.flatMap(({ failed }) => failed),
    skipped: tallies.flatMap(({ skipped }) => skipped),
  };
}
