import t from "tap";
import { ValuePlaceholders } from "../../../../executor/job/map/valueplaceholders.js";

const row = { number: 7, values: ["data/a.b.json", "x y"] };
const two = new ValuePlaceholders([], 2);
const named = new ValuePlaceholders(["lr", "seed"], 2);

t.test("placeholders of GNU parallel", async (t) => {
  const one = new ValuePlaceholders([], 1);
  const only = { number: 7, values: ["data/a.b.json"] };
  const cases = {
    "{}": "data/a.b.json",
    "{.}": "data/a.b",
    "{/}": "a.b.json",
    "{//}": "data",
    "{/.}": "a.b",
    "{#}": "7",
    "--in={} --out={.}.out": "--in=data/a.b.json --out=data/a.b.out",
    "{1/.}-{#}": "a.b-7",
    plain: "plain",
    "{print $1}": "{print $1}",
    "${HOME} ${}": "${HOME} ${}",
    '{"k": {}}': '{"k": data/a.b.json}',
    "{name}": "{name}",
    "{{}}": "{data/a.b.json}",
  };
  for (const [word, filled] of Object.entries(cases)) t.equal(one.fill(word, only), filled, word);
  t.equal(two.fill("{} {2} {1/} {/}", row), "data/a.b.json x y x y a.b.json a.b.json x y");
  t.equal(named.fill("{lr/} {seed} {2}", row), "a.b.json x y x y");
  t.equal(one.fill("{}", { number: 1, values: [".bashrc"] }), ".bashrc");
  t.equal(one.fill("{.}", { number: 1, values: ["a.d/file"] }), "a.d/file", "a dot of a folder is none of the file");
});

t.test("as an entry of args, braces are doubled, but not those that the node fills", async (t) => {
  const braces = { number: 1, values: ["{gpu}", "}"] };
  t.equal(two.fillArgument("{1} {gpu} {2} {print} {{", braces), "{{gpu}} {gpu} }} {{print}} {{{{");
});

t.test("names that stand for nothing", async (t) => {
  const cases: [ValuePlaceholders, string, string | undefined][] = [
    [two, "{3}", "{3}"],
    [two, "{0}", "{0}"],
    [two, "{2.} {name} a{2000}", undefined],
    [named, "{rate}", "{rate}"],
    [named, "{seed/.} {gpu} ${rate}", undefined],
  ];
  for (const [placeholders, word, unknown] of cases) t.equal(placeholders.findUnknown(word), unknown, word);
  t.ok(two.isIn("a{2}") && two.isIn("{}") && !two.isIn("{#}") && !two.isIn("{3}"));
});
