import fc from "fast-check";
import t from "tap";
import { fillTemplate, parseTemplate, renderTemplate } from "../../../executor/job/template.js";

const KNOWN = new Set(["start", "end", "out", "gpu", "chunk", "n"]);

t.test("placeholders are parsed, and doubled braces are literal", async (t) => {
  const table: [string, string][] = [
    ["plain", "plain"],
    ["", ""],
    ["{start}", "S"],
    ["--seed={start}:{end}", "--seed=S:E"],
    ["{{start}}", "{start}"],
    ["{{{start}}}", "{S}"],
    ['{{"a": {start}}}', '{"a": S}'],
    ["}}{{", "}{"],
  ];
  for (const [text, wanted] of table) {
    const { template, faults } = parseTemplate(text, KNOWN);
    t.same(faults, [], text);
    t.equal(renderTemplate(template, { start: "S", end: "E" }), wanted, text);
  }
});

t.test("an invalid template is reported with a hint", async (t) => {
  const braces = "write {{ and }} for literal braces";
  const table: [string, string, string | undefined][] = [
    ["{strat}", "unknown placeholder {strat}", 'did you mean "start"?'],
    ["{", 'a "{" is not closed', braces],
    ["}", 'a "}" has no matching "{"', braces],
    ["{start", 'a "{" is not closed', braces],
    ["{}", "{} is not a placeholder", braces],
    ['{"a": 1}', '{"a": 1} is not a placeholder', braces],
    ["{__proto__}", "unknown placeholder {__proto__}", undefined],
    ["{start}}", 'a "}" has no matching "{"', braces],
  ];
  for (const [text, message, hint] of table) {
    const { faults } = parseTemplate(text, KNOWN);
    t.equal(faults.length, 1, text);
    t.equal(faults[0]?.message, message);
    if (hint !== undefined) t.equal(faults[0]?.hint, hint);
  }
});

const anything = fc.string({ unit: fc.constantFrom("{", "}", "a", "{n}", "{out}", "$&", "é") });

t.test("any text is unchanged when its braces are doubled", async () => {
  fc.assert(
    fc.property(anything, (text) => {
      const { template, faults } = parseTemplate(text.replace(/[{}]/g, "$&$&"), KNOWN);
      return faults.length === 0 && renderTemplate(template, {}) === text;
    }),
  );
});

t.test("values are never expanded again", async () => {
  fc.assert(
    fc.property(anything, anything, (value, out) => {
      const { template } = parseTemplate("<{n}|{out}>", KNOWN);
      return renderTemplate(fillTemplate(template, new Map([["n", value]])), { out }) === `<${value}|${out}>`;
    }),
  );
});

t.test("throws for a placeholder without a value", async (t) => {
  t.throws(() => renderTemplate([{ name: "toString" }], {}), /no value for the placeholder/);
});
