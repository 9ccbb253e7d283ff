import t from "tap";
import { listPlaceholders, renderTemplate } from "../../../playbooks/templates/rendertemplate.js";

const VALUES = new Map([
  ["node", { text: "rig{x}", isSecret: false }],
  ["token", { text: "s3cret", isSecret: true }],
]);

t.test("placeholders are filled", async (t) => {
  const table: [template: string, text: string, usesSecret: boolean][] = [
    ["", "", false],
    ["a {node} b", "a rig{x} b", false],
    ["{token}", "s3cret", true],
    ["{{node}}", "{node}", false],
    ["server { listen 80; }", "server { listen 80; }", false],
    ["{ node } {1} {}", "{ node } {1} {}", false],
    ["${{HOME}}", "${HOME}", false],
    ['{"a":{"b":1}}', '{"a":{"b":1}}', false],
    ["{{ x }} }}", "{{ x }} }}", false],
  ];
  for (const [template, text, usesSecret] of table)
    t.same(renderTemplate(template, VALUES), { text, usesSecret }, template);
});

t.test("one without a value is named, with its place", async (t) => {
  t.same(renderTemplate("a\nbc {x} {y}", VALUES), { name: "x", line: 2, column: 4 });
  t.same(listPlaceholders("{a} {b} {a} {{c}}"), ["a", "b"]);
});
