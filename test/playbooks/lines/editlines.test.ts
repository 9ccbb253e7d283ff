import fc from "fast-check";
import t from "tap";
import type { WantedLine } from "../../../fleet/nodestate.js";
import { editLines, findLineProblem } from "../../../playbooks/lines/editlines.js";

t.test("lines are replaced, appended and removed", async (t) => {
  const table: [before: string, wanted: WantedLine[], after: string][] = [
    ["", [{ line: "a" }], "a\n"],
    ["a\n", [{ line: "a" }], "a\n"],
    ["b", [{ line: "a" }], "b\na\n"],
    ["b\r\n", [{ line: "a" }], "b\r\na\r\n"],
    ["#Port 22\nx\n", [{ line: "Port 2222", match: "^#?Port " }], "Port 2222\nx\n"],
    ["Port 1\nPort 2\n", [{ line: "Port 3", match: "^Port " }], "Port 1\nPort 3\n"],
    ["Port 1", [{ line: "Port 3", match: "^Port " }], "Port 3"],
    ["x\n", [{ line: "Port 3", match: "^Port " }], "x\nPort 3\n"],
    ["a\nb\na", [{ absent: "^a$" }], "b\n"],
    ["aa\r\n", [{ absent: "^a$" }], "aa\r\n"],
    ["x\n", [{ block: "1\n2" }], "x\n# BEGIN muster\n1\n2\n# END muster\n"],
    ["# BEGIN muster\n0\n# END muster\nx\n", [{ block: "1\n" }], "# BEGIN muster\n1\n# END muster\nx\n"],
    ["# BEGIN b\n# END b\n", [{ block: "1", name: "c", comment: ";" }], "# BEGIN b\n# END b\n; BEGIN c\n1\n; END c\n"],
    ["# BEGIN muster\nx\n", [{ block: "1" }], "# BEGIN muster\nx\n# BEGIN muster\n1\n# END muster\n"],
  ];
  for (const [before, wanted, after] of table) t.equal(editLines(before, wanted), after, JSON.stringify(before));
});

t.test("a second pass changes nothing", async () => {
  const line = fc.stringMatching(/^[ab# ]{0,4}$/);
  const wanted = fc.oneof(
    fc.record({ line }),
    line.map((text) => ({ line: `Port ${text}`, match: "^#?Port " })),
    fc.array(line, { minLength: 1, maxLength: 3 }).map((lines) => ({ block: `${lines.join("\n")}\n`, name: "n" })),
  );
  const text = fc
    .array(fc.oneof(line, fc.constantFrom("Port 1", "# BEGIN n", "# END n", "x\r")))
    .map((all) => all.join("\n"));
  fc.assert(
    fc.property(text, wanted, (before, one) => {
      const once = editLines(before, [one]);
      return editLines(once, [one]) === once;
    }),
    { numRuns: 2000 },
  );
});

t.test("a wanted line that contradicts itself is named", async (t) => {
  t.equal(findLineProblem({ line: "a" }), undefined);
  t.match(findLineProblem({}), /exactly one of line, absent and block/);
  t.match(findLineProblem({ line: "a", block: "b" }), /exactly one/);
  t.match(findLineProblem({ match: "a", block: "b" }), /a match, but no line/);
  t.match(findLineProblem({ absent: "(" }), /invalid regular expression/);
  t.match(findLineProblem({ line: "a", match: "^b" }), /its own line does not match/);
});
