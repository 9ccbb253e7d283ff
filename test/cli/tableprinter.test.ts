import { mock } from "node:test";
import t from "tap";
import { TablePrinter } from "../../cli/tableprinter.js";
import { formatTable, type ResultTable } from "../../report/resulttable.js";

interface Result {
  node: { name: string };
  text: string;
}

const table: ResultTable<Result> = {
  head: "node",
  listRows: (results) => results.flatMap(({ node, text }) => (text === "" ? [] : [`${node.name} ${text}`])),
  listTotal: (results) => [`${results.length} nodes`],
};
const result = (name: string, text = "fine"): Result => ({ node: { name }, text });

function startPrinter() {
  const printed: string[] = [];
  const writers = { out: (text: string) => void printed.push(...text.split("\n")), err: () => {} };
  return { printed, printer: new TablePrinter(table, ["a", "b", "frozen"], writers) };
}

t.beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
t.afterEach(() => mock.timers.reset());

t.test("what is known within a second is the whole table, in the order of the nodes", async (t) => {
  const { printed, printer } = startPrinter();
  const results = ["a", "b", "frozen"].map((name) => result(name));
  for (const one of results.toReversed()) printer.add(one);
  t.same(printed, []);
  printer.end(results);
  t.same(printed, formatTable(table, results).split("\n"));
  mock.timers.tick(5000);
  t.equal(printed.length, 6, "nothing is printed twice");
});

t.test("after a second, each node is printed at once, and a frozen one last", async (t) => {
  const { printed, printer } = startPrinter();
  printer.add(result("b"));
  mock.timers.tick(1000);
  t.same(printed, ["node", "b fine"]);
  printer.add(result("a"));
  t.same(printed.slice(2), ["a fine"]);
  mock.timers.tick(19_000);
  printer.add(result("frozen", "timed out"));
  printer.end([result("a"), result("b"), result("frozen", "timed out")]);
  t.same(printed.slice(3), ["frozen timed out", "", "3 nodes"]);
});

t.test("without rows, only the total is printed", async (t) => {
  const { printed, printer } = startPrinter();
  printer.add(result("a", ""));
  mock.timers.tick(1000);
  printer.end([result("a", "")]);
  t.same(printed, ["1 nodes"]);
});
