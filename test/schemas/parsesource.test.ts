import fc from "fast-check";
import t from "tap";
import { parseScalar, parseSource, readSource } from "../../schemas/parsesource.js";
import { catchProblems, formatProblems } from "./problems.js";

const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
for (const [index, name] of [..."bcdefgh"].entries()) {
  bomb.push(`${name}: &${name} [${Array(10).fill(`*${"abcdefgh"[index]}`).join(", ")}]`);
}

const REFUSED: [what: string, text: string, problems: string[]][] = [
  ["a duplicate key", "a: 1\nb: 2\na: 3\n", ['3:1 the key "a" is there twice']],
  ["a duplicate key in JSON", '{"a": 1,\n "a": 2}', ['2:2 the key "a" is there twice']],
  ["__proto__", "ok: 1\n__proto__: {x: 1}\n", ['2:1 the key "__proto__" is not allowed']],
  ["__proto__ in JSON", '{"__proto__": {}}', ['1:2 the key "__proto__" is not allowed']],
  ["constructor inside", "a:\n  constructor: 1\n", ['2:3 the key "constructor" is not allowed']],
  ["prototype", "a: {prototype: 1}\n", ['1:5 the key "prototype" is not allowed']],
  ["an alias bomb", bomb.join("\n"), ["4:36 aliases make this file too large (more than 10000 values)"]],
  ["an alias inside itself", "a: &a [*a]\n", ["1:8 an alias must not be inside the value that it refers to"]],
  ["an alias of nothing", "a: *b\n", ["1:4 there is no anchor &b above"]],
  ["an unknown tag", "a: !secret x\n", ["1:4 unknown tag: !secret: tags are not supported"]],
  ["a binary tag", "a: !!binary aGk=\n", ["1:4 unknown tag: tag:yaml.org,2002:binary: tags are not supported"]],
  ["YAML 1.1", "%YAML 1.1\n---\na: yes\n", ["1:1 YAML 1.1 is not supported"]],
  ["a second document", "a: 1\n---\nb: 2\n", ["2:1 a second document begins here, but a file may hold only one"]],
  ["a list as a key", "? [1]\n: 2\n", ["1:3 a key must be plain text"]],
  ["tabs as indentation", "a:\n\tb: 1\n", ["2:1 a tab cannot indent YAML: use spaces"]],
  ["nothing", "# only this\n", ["1:1 is empty"]],
  ["deep nesting", `a: ${"[".repeat(101)}${"]".repeat(101)}`, ["1:103 nested deeper than 100 levels"]],
  ["deep nesting in JSON", "[".repeat(1_000_000), ["1:101 nested deeper than 100 levels"]],
];

t.test("invalid pipelines are refused with the position of the problem", async (t) => {
  for (const [what, text, problems] of REFUSED) {
    t.same(formatProblems(catchProblems(() => parseSource("x.yaml", text))), problems, what);
  }
  const syntax = catchProblems(() => parseSource("x.json", '{\n\t"a": [1,]\n}'));
  t.same(
    formatProblems(syntax),
    ["2:10 this is not JSON: a value is expected here"],
    "a file called .json is held to JSON",
  );
});

t.test("hostile sizes end quickly with one message", async (t) => {
  const table: [string, number][] = [
    [`a: ${"[".repeat(100_000)}`, 1],
    ["- ".repeat(20_000), 1],
    ["? ".repeat(20_000), 1],
    [Array.from({ length: 2000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"), 1],
    ["a: 1\n".repeat(5000), 101],
    ["a: !x 1\n".repeat(5000), 101],
    [`a: ${"x".repeat(17 * 2 ** 20)}`, 1],
  ];
  for (const [text, count] of table) {
    t.equal(catchProblems(() => parseSource("x.yaml", text)).length, count, text.slice(0, 10));
  }
});

t.test("a file that cannot be read is reported", async (t) => {
  const folder = t.testdir({ "latin1.yaml": Buffer.from([0x61, 0x3a, 0xe9]), inner: {} });
  const messages = ["none.yaml", "inner", "latin1.yaml"].map(
    (name) => catchProblems(() => readSource(`${folder}/${name}`))[0]?.message,
  );
  t.same(messages, ["there is no such file", "is a folder, not a file", "is not UTF-8 text"]);
});

t.test("integers are exact, and texts are kept as written", async (t) => {
  const yaml =
    "big: 18446744073709551615\nfar: -340282366920938463463374607431768211456\nrate: 0.10\nhex: 0x1F\nyes: yes\nok: True\n";
  const source = parseSource("x.yaml", yaml);
  t.same(source.value, {
    big: 18446744073709551615n,
    far: -340282366920938463463374607431768211456n,
    rate: 0.1,
    hex: 31,
    yes: "yes",
    ok: true,
  });
  const texts = Object.keys(source.value as object).map((key) => source.text([key]));
  t.same(texts, ["18446744073709551615", "-340282366920938463463374607431768211456", "0.10", "0x1F", "yes", "True"]);
  const json = parseSource("x.json", '{"a": [18446744073709551616, 1.50, 1e3, "\\u00e9\\n"]}');
  t.same(json.value, { a: [18446744073709551616n, 1.5, 1000, "é\n"] });
  t.same(
    [0, 1, 2].map((index) => json.text(["a", index])),
    ["18446744073709551616", "1.50", "1e3"],
  );
});

t.test("an anchor may be used, and keeps its text", async (t) => {
  const source = parseSource("x.yaml", "a: &x 0.10\nb: [*x]\n");
  t.same(source.value, { a: 0.1, b: [0.1] });
  t.equal(source.text(["b", 0]), "0.10");
});

t.test("keys, values and missing keys have positions", async (t) => {
  for (const [name, text] of [
    ["x.yaml", "top:\n  list: [a, b]\n"],
    ["x.json", '{"top":\n  {"list": ["a", "b"]}}'],
  ] as const) {
    const source = parseSource(name, text);
    t.match(source.positionOf(["top", "list", 1]), { file: name, line: 2 });
    t.match(source.positionOfKey(["top", "list"]), { line: 2, column: name === "x.yaml" ? 3 : 4 });
    t.same(source.positionOf(["top", "none", 3]), source.positionOf(["top"]), "the nearest thing around it");
  }
});

t.test("any JSON value reads as JSON.parse reads it", async () => {
  const value = fc
    .jsonValue({ maxDepth: 5 })
    .filter((one) => !/"(__proto__|constructor|prototype)"/.test(JSON.stringify(one)));
  fc.assert(
    fc.property(value, fc.constantFrom("", "\t", "  "), (wanted, indent) => {
      const text = JSON.stringify([wanted], null, indent);
      const got = parseSource("x.json", text).value;
      return (
        JSON.stringify(got, (_, one) => (typeof one === "bigint" ? Number(one) : one)) ===
        JSON.stringify(JSON.parse(text))
      );
    }),
  );
});

t.test("values of the command line are parsed as YAML scalars", async (t) => {
  const table: [string, unknown][] = [
    ["10m", { value: "10m", text: "10m" }],
    ["0.10", { value: 0.1, text: "0.10" }],
    ["18446744073709551615", { value: 18446744073709551615n, text: "18446744073709551615" }],
    ["'5'", { value: "5", text: "5" }],
    ["true", { value: true, text: "true" }],
    ["[1]", undefined],
    ["a: b", undefined],
  ];
  for (const [text, wanted] of table) t.same(parseScalar(text), wanted, text);
});
