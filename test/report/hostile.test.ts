import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import parsePrometheus from "parse-prometheus-text-format";
import t from "tap";
import { formatError } from "../../cli/errortext.js";
import { InvalidFileError, MusterError } from "../../schemas/errors.js";
import { escapeUnsafe, formatJson } from "../../schemas/escape.js";
import { projectRoot } from "../lab/project.js";
import { findUnsafe, HOSTILE, replaceEachText, UNSAFE_CHARACTERS } from "./hostilestrings.js";
import { NOT_RENDERED } from "./notrendered.js";
import { METRICS, PAGES, type Rendering, TEXTS } from "./renderings.js";

/** Calls `show` with each text of its input replaced in turn, and returns the number of texts. Inputs that it cannot read are skipped. */
function everyField(shown: Rendering, check: (text: string, path: string) => void): number {
  let checked = 0;
  for (const [path, input] of replaceEachText(shown.input, HOSTILE, shown.exact)) {
    check(shown.show(input), path);
    checked++;
  }
  return checked;
}

for (const [name, shown] of Object.entries(TEXTS))
  t.test(`${name} escapes every field`, async (t) => {
    t.ok(shown.show(shown.input).length > 0);
    const wrong: string[] = [];
    const checked = everyField(shown, (text, path) => {
      const why = findUnsafe(text);
      if (why !== undefined) wrong.push(`${path}: ${why}`);
    });
    t.same(wrong, [], `${checked} fields`);
    t.ok(checked > 0 || shown.isNumbers, "it has texts");
  });

for (const [name, shown] of Object.entries(PAGES))
  t.test(`${name} escapes every field, and fetches nothing`, async (t) => {
    const wrong: string[] = [];
    everyField(shown, (page, path) => {
      if (UNSAFE_CHARACTERS.test(page))
        wrong.push(`${path}: ${UNSAFE_CHARACTERS.exec(page)![0].codePointAt(0)!.toString(16)}`);
      if (page.includes("<script")) wrong.push(`${path}: markup`);
    });
    t.same(wrong, []);
    t.notMatch(shown.show(shown.input), /src=|href="(?!logs\/)|https?:|url\(|@import/);
  });

t.test("metrics stay valid", async (t) => {
  for (const shown of METRICS)
    everyField(shown, (text, path) => {
      const odd = text.split("\n").filter((line) => line !== "" && !/^(# (HELP|TYPE) )?muster_/.test(line));
      t.same([odd, UNSAFE_CHARACTERS.test(text)], [[], false], path);
      t.ok((parsePrometheus(text) as unknown[]).length > 0);
    });
});

t.test("an error escapes every field", async (t) => {
  const errors = [
    new MusterError("LOST", HOSTILE, { next: HOSTILE, node: "rig" }),
    new InvalidFileError([{ file: HOSTILE, message: HOSTILE, hint: HOSTILE }]),
    new Error(HOSTILE),
    HOSTILE,
  ];
  for (const error of errors) t.equal(findUnsafe(formatError(error)), undefined);
});

t.test("JSON output is exact and printable", async (t) => {
  const document = { [HOSTILE]: [HOSTILE, 1, null, { a: "é\t\n" }] };
  const text = formatJson(document, 2);
  t.same(JSON.parse(text), document);
  t.notMatch(text, UNSAFE_CHARACTERS);
  t.equal(escapeUnsafe(text), text, "the terminal changes nothing in it");
});

t.test("every function of report/ that returns text is tested here", async (t) => {
  const folder = join(projectRoot(), "dist/report");
  const files = readdirSync(folder).filter((name) => name.endsWith(".js"));
  const known = new Set([...Object.keys(TEXTS), ...Object.keys(PAGES), ...NOT_RENDERED, "formatMetrics"]);
  for (const file of files) {
    const exported = (await import(pathToFileURL(join(folder, file)).href)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(exported))
      if (typeof value === "function" && !known.has(name)) t.fail(`${file}: ${name} is not tested with hostile text`);
  }
  t.ok(files.length > 10);
});

t.test(
  "only cli/terminal.ts and cli/question.ts write to the standard streams, and report/ joins lines only with toPrintableText",
  async (t) => {
    for (const folder of ["cli", "report", "playbooks", "executor", "fleet", "schemas"])
      for (const name of readdirSync(join(projectRoot(), folder), { recursive: true, encoding: "utf8" })) {
        if (!name.endsWith(".ts")) continue;
        const path = join(folder, name);
        const text = readFileSync(join(projectRoot(), path), "utf8");
        if (!WRITERS.has(path) && /process\.std(out|err)\.write|\bconsole\./.test(text)) t.fail(`${path} writes`);
        if (folder === "cli" && text.includes("JSON.stringify"))
          t.fail(`${path}: JSON for people comes from formatJson`);
        if (folder === "report" && !TEXT_FREE.has(name) && /\.join\("\\n"\)/.test(text))
          t.fail(`${path}: lines are joined by toPrintableText`);
      }
    t.pass("sources");
  },
);

/** The files that write: output, and questions. Both pass what they write through escapeUnsafe. */
const WRITERS = new Set(["cli/terminal.ts", "cli/question.ts"]);

/** Exceptions: toPrintableText itself, pages, which `html` escapes, and the redrawn lines of renderRun. */
const TEXT_FREE = new Set(["format.ts", "livescreen.ts", "historypage.ts", "page/html.ts"]);
