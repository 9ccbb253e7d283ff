import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { parseSource } from "../../schemas/parsesource.js";
import { type KeyPath, Source } from "../../schemas/source.js";
import { compose, composePieces, type TooDeep, type YamlPiece } from "../../schemas/yamlpieces.js";
import { YamlValueBuilder } from "../../schemas/yamlvalue.js";
import { catchProblems, formatProblems } from "./problems.js";

interface Reading {
  /** Offset and message. */
  faults: [number, string][];
  /** What else is wrong, or values, their texts and places. */
  rest: unknown;
}

function read(text: string, pieces: Iterable<YamlPiece | TooDeep>): Reading {
  const plain = new YamlValueBuilder((offset, message) => ({ file: "x", column: offset, message }));
  const faults: Reading["faults"] = [];
  for (const piece of pieces) {
    if ("tooDeep" in piece) return { faults, rest: piece };
    for (const { pos, message } of piece.problems) faults.push([pos[0], message]);
    if (faults.length === 0) plain.add(piece);
  }
  if (faults.length > 0) return { faults, rest: undefined };
  if (plain.problems.length > 0) return { faults, rest: plain.problems };
  const source = new Source("x", text, plain.result());
  return { faults, rest: [source.value, parts(source, [])] };
}

function parts(source: Source, path: KeyPath): unknown[] {
  const value = source.get(path);
  const place = [source.positionOf(path), source.positionOfKey(path)];
  if (typeof value !== "object" || value === null) return [path, place, source.text(path)];
  return [path, place, ...Object.keys(value).map((key) => parts(source, [...path, Array.isArray(value) ? +key : key]))];
}

const whole = (text: string) => read(text, [compose(text)]);
const piecewise = (text: string) => read(text, composePieces(text, 1));

const scalar = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.constantFrom(
      ...["a", "1", "0.10", "18446744073709551615", "'it''s'", '"x\\ty"', "~", "a b", "true", "&a x", "&b y", "null"],
      ...['"two\n      lines"', "two\n      lines"],
    ),
  },
  { weight: 2, arbitrary: fc.constantFrom("*a", "*b", "*l", "&a", "") },
  { weight: 1, arbitrary: fc.constantFrom("!t x", "# only a comment\n", "x # after\n", "*none", "[", "a: b: c") },
);
const flow = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }).map((items) => `[${items.join(", ")}]`),
  fc.array(scalar, { maxLength: 3 }).map((items) => `&a {${items.map((item, at) => `k${at}: ${item}`).join(",")}}`),
);
const block = fc.constantFrom(
  "|\n      text\n       more\n",
  ">-\n      folded\n\n      text",
  "\n      - deep\n      -\n      - x: 1\n        y: [2]",
  "\n      k: v\n      2: w\n      1: x",
);
const item = fc.oneof(
  { weight: 3, arbitrary: flow },
  block,
  fc.tuple(flow, fc.oneof(flow, block)).map(([a, b]) => `id: ${a}\n    more: ${b}`),
);
const between = fc.constantFrom("", "", "", "\n", "  # between\n", "# at the start\n", "   \n", "    # deeper\n");
const KEYS = ["tasks", "k", '"quoted"', "&k named", "3", "1"];
const keys = fc.oneof(
  { weight: 9, arbitrary: fc.shuffledSubarray(KEYS, { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.array(fc.constantFrom(...KEYS, "__proto__"), { minLength: 1, maxLength: 4 }) },
);
const blockList = fc
  .array(fc.tuple(item, between), { maxLength: 8 })
  .map((items) => `\n${items.map(([one, after]) => `  - ${one}\n${after}`).join("")}`);
const flowList = fc
  .array(fc.tuple(flow, fc.constantFrom(", ", ",\n  ", ",", " ,", "\n  , ", ", # c\n  ", " # c\n , ", ", , ")), {
    maxLength: 8,
  })
  .map((items) => `[${items.map(([one, after]) => one + after).join("")}]\n`);
const value = fc
  .tuple(fc.constantFrom(":", ": ", " :", ": &l"), fc.oneof(flow, blockList, flowList), between)
  .map(([colon, one, after]) => `${colon} ${one}\n${after}`);
const blockRoot = fc
  .tuple(keys, fc.array(value, { minLength: 4, maxLength: 4 }))
  .map(([names, values]) => names.map((name, at) => name + values[at]).join(""));
const flowRoot = fc
  .tuple(keys, fc.array(fc.oneof(flow, flowList), { minLength: 4, maxLength: 4 }))
  .map(([names, values]) => `{${names.map((name, at) => `${name}: ${values[at]}`).join(",\n ")}}`);
const before = fc.constantFrom(
  "",
  "",
  "",
  "# head\n",
  "---\n",
  "%TAG !x tag:x,2000:\n---\n",
  "--- &root\n",
  "%YAML 1.2\n",
);
const after = fc.constantFrom("", "", "", "...\n", "---\nb: 1\n", "# end\n", "]", "x");
const text = fc.tuple(before, fc.oneof(blockRoot, flowRoot), after).map((parts) => parts.join(""));
/** A character of a text is left out, or put in where YAML gives it a meaning. */
const slip = fc.tuple(
  fc.nat(999).map((thousandths) => thousandths / 1000),
  fc.constantFrom("", ..." \n-:,[]{}?&*!#'\"|\t"),
);
const spoilt = fc.tuple(text, fc.oneof(fc.constant([]), fc.array(slip, { maxLength: 3 }))).map(([sound, slips]) =>
  slips.reduce((one, [where, what]) => {
    const at = Math.floor(where * one.length);
    return one.slice(0, at) + what + one.slice(what === "" ? at + 1 : at);
  }, sound),
);

t.test("a document that is composed piece by piece reads as it does in one piece", async (t) => {
  fc.assert(
    fc.property(spoilt, (one) => {
      const [got, wanted] = [piecewise(one), whole(one)];
      assert.deepStrictEqual(got.rest, wanted.rest);
      assert.equal(got.faults.length === 0, wanted.faults.length === 0);
      // The package may say of the same slip that it is wrong for several reasons.
      for (const fault of got.faults)
        assert.ok(
          wanted.faults.some((other) => isDeepStrictEqual(fault, other)),
          `${fault}`,
        );
    }),
    { numRuns: 1000 },
  );
  t.pass("1,000 documents");
});

t.test("a long list comes in many pieces, in block and in flow style", async (t) => {
  const numbers = Array.from({ length: 1000 }, (_, index) => index);
  const table: [what: string, text: string, line: (index: number) => number][] = [
    [
      "block",
      `env: &e {A: 1}\ntasks:\n${numbers.map((n) => `  - {id: ${n}, env: *e}\n`).join("")}name: x\n`,
      (n) => n + 3,
    ],
    [
      "flow",
      `{env: &e {A: 1}, tasks: [\n${numbers.map((n) => `  {id: ${n}, env: *e},\n`).join("")}], name: x}`,
      (n) => n + 2,
    ],
    [
      "a long head",
      `about: ${"x".repeat(2000)}\ntasks:\n${numbers.map((n) => `- ${n}\n`).join("")}name: x\n`,
      (n) => n + 3,
    ],
    ["a list of lists", `tasks:\n${numbers.map((n) => `- - ${n}\n  - b\n`).join("")}name: x\n`, (n) => 2 * n + 2],
  ];
  for (const [what, text, line] of table) {
    const pieces = [...composePieces(text)];
    t.ok(pieces.length > 50, `${what}: ${pieces.length} pieces`);
    t.same(piecewise(text), whole(text), what);
    const source = parseSource("x.yaml", text);
    t.equal(source.get(["name"]), "x");
    t.equal(source.positionOf(["tasks", 987]).line, line(987), what);
  }
});

t.test("a problem in a late item is reported once, at its position", async (t) => {
  const items = Array.from({ length: 1000 }, (_, index) => `  - {id: ${index}}\n`);
  const table: [what: string, line: string, problem: string][] = [
    ["syntax", "  - {id: 5\n", "903:3 flow map in block collection must be sufficiently indented and end with a }"],
    ["a key twice", "  - {id: 5, id: 6}\n", '902:13 the key "id" is there twice'],
    ["__proto__", "  - {__proto__: 5}\n", '902:6 the key "__proto__" is not allowed'],
    ["a tag", "  - {id: !x 5}\n", "902:10 unknown tag: !x: tags are not supported"],
    ["an alias of nothing", "  - {id: *x}\n", "902:10 there is no anchor &x above"],
    ["a tab", "  -\n\t  a: 5\n", "903:1 a tab cannot indent YAML: use spaces"],
  ];
  for (const [what, line, problem] of table) {
    const text = `&k tasks: # these\n${items.with(900, line).join("")}name: x\n`;
    const [first] = formatProblems(catchProblems(() => parseSource("x.yaml", text)));
    t.equal(first, problem, what);
    t.same(piecewise(text), whole(text), what);
  }
  const tagged = items.map((item, index) => (index % 400 === 100 ? `  - !x ${index}\n` : item));
  const all = formatProblems(catchProblems(() => parseSource("x.yaml", `tasks: !y\n${tagged.join("")}`)));
  const tags = [1, 102, 502, 902].map(
    (line) => `${line}:${line === 1 ? 8 : 5} unknown tag: !${line === 1 ? "y" : "x"}`,
  );
  t.same(
    all,
    tags.map((tag) => `${tag}: tags are not supported`),
  );
});
