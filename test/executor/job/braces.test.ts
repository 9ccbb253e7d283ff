import fc from "fast-check";
import t from "tap";
import { findBraceFault } from "../../../executor/job/braces.js";
import { parseTemplate, renderTemplate } from "../../../executor/job/template.js";

const KNOWN = new Set(["start", "end", "out", "gpu", "n"]);
const HERE = "known here: {start} {end} {out} {gpu} {n}; for literal braces write ";

t.test(
  "braces that belong to no placeholder are one fault, whose hint shows the text with doubled braces",
  async (t) => {
    const table: [text: string, message: string, hint: string][] = [
      ["{print $1}", '"{print $1}" is not a placeholder', "write {{print $1}}"],
      ["NR > {start} {print $1}", '"{print $1}" is not a placeholder', "write NR > {start} {{print $1}}"],
      ["{}", '"{}" is not a placeholder', "write {{}}"],
      ["{strat}", "unknown placeholder {strat}", "did you mean {start}? For literal braces write {{strat}}"],
      [
        "{print} {strat}",
        "unknown placeholder {strat}",
        "did you mean {start}? For literal braces write {{print}} {{strat}}",
      ],
      ["--name=${HOME_DIR}", "unknown placeholder {HOME_DIR}", `${HERE}--name=\${{HOME_DIR}}`],
      ["{__proto__}", "unknown placeholder {__proto__}", `${HERE}{{__proto__}}`],
      ["{", 'a "{" is not closed', "write {{"],
      ["}", 'a "}" has no matching "{"', "write }}"],
      ["{start", 'a "{" is not closed', "write {{start"],
      ["{start}}", 'a "}" has no matching "{"', "write {start}}}"],
      ["a {b {c} d", 'a "{" is not closed', "write a {{b {{c}} d"],
      ['{"a": 1}, {"b": 2}', '"{"a": 1}" is not a placeholder', 'write {{"a": 1}}, {{"b": 2}}'],
      ["{print {start}}", '"{print {start}}" is not a placeholder', "write {{print {start}}}"],
      ["BEGIN {if (1) {exit}}", '"{if (1) {exit}}" is not a placeholder', "write BEGIN {{if (1) {{exit}}}}"],
      // What looks like a doubled brace closes two nested ones.
      ['{"a": {"b": {}}}', '"{"a": {"b": {}}}" is not a placeholder', 'write {{"a": {{"b": {{}}}}}}'],
      ["{{1}, {2}}", '"{{1}, {2}}" is not a placeholder', "write {{{{1}}, {{2}}}}"],
      ["if x:\n  f({y z})\n", '"{y z}" is not a placeholder', "write if x:\n  f({{y z}})"],
      // Some braces are doubled already.
      ["{{print $1}} {x y}", '"{x y}" is not a placeholder', "write {{print $1}} {{x y}}"],
      ['{{"a": {"b": 1}}}', '"{"b": 1}" is not a placeholder', 'write {{"a": {{"b": 1}}}}'],
    ];
    for (const [text, message, hint] of table) t.same(findBraceFault(text, KNOWN), { message, hint }, text);
  },
);

t.test("long texts are clipped around their first stray brace", async (t) => {
  const clipped = findBraceFault(`${"é".repeat(900)}{print $1}${"x".repeat(900)}`, KNOWN);
  t.match(clipped?.hint, /^write \.\.\.é{100}\{\{print \$1\}\}x+\.\.\.$/);
  t.equal(findBraceFault(`{${"y".repeat(300)} }`, KNOWN)?.message, `"{${"y".repeat(39)}..." is not a placeholder`);
  t.equal(
    findBraceFault(`${"😀".repeat(900)}{a b}`, KNOWN)?.hint.match(/\p{Surrogate}/u),
    null,
    "characters stay whole",
  );
});

t.test("no fault, no hint", async (t) => {
  for (const text of ["", "x", "{start}", "{{x}}", "{{{n}}}", "}}{{"]) t.equal(findBraceFault(text, KNOWN), undefined);
});

const piece = fc.constantFrom("{", "}", "{{", "}}", "a", "{n}", "{x y}", "{out}", " ");
const texts = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
const shown = (hint: string) =>
  hint.replace(/^(?:.*?for literal braces write|.*?For literal braces write|write) /s, "");

t.test("the text of a hint is a valid template, and says what the text says", async () => {
  fc.assert(
    fc.property(texts, (text) => {
      const fault = findBraceFault(text, KNOWN);
      if (fault === undefined) return true;
      const { template, fault: left } = parseTemplate(shown(fault.hint), KNOWN);
      const values = { n: "{n}", out: "{out}" };
      const rendered = renderTemplate(template, values);
      // Doubled braces may have been meant as such, or as single ones.
      return (
        left === undefined &&
        [text, text.replaceAll("{{", "{").replaceAll("}}", "}")].some((one) => isLike(one, rendered))
      );
    }),
    { numRuns: 2000 },
  );
});

t.test("the hint for a text of nested braces gives exactly this text", async () => {
  const { nested } = fc.letrec<{ nested: string }>((tie) => ({
    nested: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom("", "a: 1", "{n}"),
      fc.array(tie("nested"), { minLength: 1, maxLength: 2 }).map((parts) => `{ ${parts.join(", ")}}`),
    ),
  }));
  fc.assert(
    fc.property(nested, (text) => {
      const fault = findBraceFault(text, KNOWN);
      if (fault === undefined || fault.hint.endsWith("...")) return true;
      return renderTemplate(parseTemplate(shown(fault.hint), KNOWN).template, { n: "{n}" }) === text;
    }),
    { numRuns: 2000 },
  );
});

/** Whether two texts are equal but for the number of braces in a row. */
function isLike(one: string, other: string): boolean {
  const fold = (text: string) => text.replace(/\{+/g, "{").replace(/\}+/g, "}");
  return fold(one) === fold(other);
}
