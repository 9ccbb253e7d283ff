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
    const { template, fault } = parseTemplate(text, KNOWN);
    t.equal(fault, undefined, text);
    t.equal(renderTemplate(template, { start: "S", end: "E" }), wanted, text);
  }
});

const anything = fc.string({ unit: fc.constantFrom("{", "}", "a", "{n}", "{out}", "$&", "é") });

t.test("any text is unchanged when its braces are doubled", async () => {
  fc.assert(
    fc.property(anything, (text) => {
      const { template, fault } = parseTemplate(text.replace(/[{}]/g, "$&$&"), KNOWN);
      return fault === undefined && renderTemplate(template, {}) === text;
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
