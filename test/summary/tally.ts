import { Parser, type Result } from "tap-parser";

/** A test: one `t.test` (or a whole file) that asserts something itself. */
export interface Case {
  file: string;
  /** Names of the tests around it and its own, ` > ` between them; empty for a file's own assertions. */
  name: string;
  /** What failed in it. */
  failures: Result[];
}

export interface Tally {
  passed: number;
  failed: Case[];
  skipped: { file: string; name: string; reason: string }[];
}

/** A file of tests that has ended. */
export interface FileEnd {
  file: string;
  ok: boolean;
  passed: number;
  failed: Case[];
  milliseconds: number;
}

/**
 * Reads the test runner's TAP (write into `parser`, then end it) and counts tests, not assertions: a test fails when
 * anything of its own does. A file that fails without a failed test in it, e.g. one that crashed, counts as a failed test.
 */
export class Tallier {
  readonly tally: Tally = { passed: 0, failed: [], skipped: [] };
  readonly parser = new Parser();

  constructor(private readonly onFile: (end: FileEnd) => void = () => undefined) {
    let open: { file: string; passed: number; failed: number } | undefined;
    const close = (ok: boolean, milliseconds: number) => {
      if (open === undefined) return;
      const { file } = open;
      if (!ok && this.tally.failed.length === open.failed) this.fail({ file, name: "", failures: [] });
      const failed = this.tally.failed.slice(open.failed);
      const passed = this.tally.passed - open.passed;
      this.onFile({ file, ok: failed.length === 0, passed, failed, milliseconds });
      open = undefined;
    };
    this.parser.on("child", (child: Parser) => {
      open = { file: child.name, passed: this.tally.passed, failed: this.tally.failed.length };
      this.listen(child, child.name, []);
    });
    this.parser.on("assert", (result: Result) => {
      if (result.closingTestPoint) close(result.ok, result.time ?? 0);
      else if (!result.ok) this.fail({ file: result.name, name: "", failures: [result] });
    });
    // Output that breaks off closes nothing.
    this.parser.on("complete", () => close(false, 0));
  }

  private listen(parser: Parser, file: string, names: string[]): void {
    const own: Case = { file, name: names.join(" > "), failures: [] };
    const failedBefore = this.tally.failed.length;
    let asserted = false;
    parser.on("child", (child: Parser) => this.listen(child, file, [...names, child.name]));
    parser.on("assert", (result: Result) => {
      if (!result.closingTestPoint) asserted = this.take(result, own) || asserted;
    });
    parser.on("complete", ({ ok }: { ok: boolean }) => {
      const unexplained = !ok && this.tally.failed.length === failedBefore;
      if (own.failures.length > 0 || unexplained) this.fail(own);
      else if (asserted) this.tally.passed++;
    });
  }

  /** Takes one assertion into its test; true where it is one that counts (skipped ones do not). */
  private take(result: Result, own: Case): boolean {
    if (result.skip !== false) {
      const reason = typeof result.skip === "string" ? result.skip : "no reason given";
      const name = [own.name, result.name].filter((part) => part !== "").join(" > ");
      this.tally.skipped.push({ file: own.file, name, reason });
      return false;
    }
    if (!result.ok && result.todo === false) own.failures.push(result);
    return true;
  }

  private fail(failed: Case): void {
    this.tally.failed.push(failed);
  }
}
