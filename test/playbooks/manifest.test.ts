import t, { type Test } from "tap";
import { createJsonEditor } from "../../playbooks/manifest/jsonpointer.js";
import { createRegexEditor } from "../../playbooks/manifest/regexgroup.js";
import { createShellEditor } from "../../playbooks/manifest/shellassignment.js";
import {
  isSameScalar,
  type ScalarValue,
  toScalarValue,
  type ValueEditor,
} from "../../playbooks/manifest/valueeditor.js";
import { createYamlEditor } from "../../playbooks/manifest/yamlpath.js";

const integer = (text: string): ScalarValue => ({ kind: "integer", text });
const words = (text: string): ScalarValue => ({ kind: "text", text });
const THOUSAND = integer("1000");

/** What the form reads (texts, or the problem), and what it makes of the text. */
type Row = [text: string, read: string[] | string, value: ScalarValue, written: string];

function table(t: Test, form: ValueEditor, rows: Row[]): void {
  for (const [text, read, value, written] of rows) {
    const reading = form.find(text);
    t.same("found" in reading ? reading.found.map((one) => one.text) : reading.problem, read, JSON.stringify(text));
    const writing = form.replace(text, value);
    t.equal("text" in writing ? writing.text : writing.problem, written);
    if (!("text" in writing)) continue;
    const again = form.replace(writing.text, value);
    t.same(again, writing, "a second time changes nothing");
  }
}

t.test("shell assignments", async (t) => {
  const SAME = 'computes CHUNK_SIZE when it runs ("\\"$2\\"")';
  table(t, createShellEditor("CHUNK_SIZE"), [
    ["CHUNK_SIZE=500\n", ["500"], THOUSAND, "CHUNK_SIZE=1000\n"],
    ["CHUNK_SIZE=500", ["500"], THOUSAND, "CHUNK_SIZE=1000"],
    ["CHUNK_SIZE=500\r\nA=1\r\n", ["500"], THOUSAND, "CHUNK_SIZE=1000\r\nA=1\r\n"],
    ["  export CHUNK_SIZE='500'  # was 'x'\n", ["500"], THOUSAND, "  export CHUNK_SIZE='1000'  # was 'x'\n"],
    ['readonly CHUNK_SIZE="500"; go\n', ["500"], THOUSAND, 'readonly CHUNK_SIZE="1000"; go\n'],
    ["declare -x A=1 CHUNK_SIZE=500\n", ["500"], THOUSAND, "declare -x A=1 CHUNK_SIZE=1000\n"],
    ["A=1 CHUNK_SIZE=5 cmd CHUNK_SIZE=9\n", ["5"], THOUSAND, "A=1 CHUNK_SIZE=1000 cmd CHUNK_SIZE=9\n"],
    ["if x; then CHUNK_SIZE=5; fi\n", ["5"], THOUSAND, "if x; then CHUNK_SIZE=1000; fi\n"],
    ["# CHUNK_SIZE=1\nCHUNK_SIZE=2#3\n", ["2#3"], THOUSAND, "# CHUNK_SIZE=1\nCHUNK_SIZE=1000\n"],
    ["CHUNK_SIZE=1 # one\nCHUNK_SIZE=1000\n", ["1", "1000"], THOUSAND, "CHUNK_SIZE=1000 # one\nCHUNK_SIZE=1000\n"],
    ["CHUNK_SIZE=${CHUNK_SIZE:-500}\n", ["500"], THOUSAND, "CHUNK_SIZE=${CHUNK_SIZE:-1000}\n"],
    ['CHUNK_SIZE="${1:-500}"\n', ["500"], THOUSAND, 'CHUNK_SIZE="${1:-1000}"\n'],
    [
      'CHUNK_SIZE=500\n--n) CHUNK_SIZE="$2"; shift;;\n',
      ["500"],
      THOUSAND,
      'CHUNK_SIZE=1000\n--n) CHUNK_SIZE="$2"; shift;;\n',
    ],
    ['CHUNK_SIZE="$2"\n', SAME, THOUSAND, SAME],
    ["CHUNK_SIZE=5'0'\"0\"\n", ["500"], THOUSAND, "CHUNK_SIZE=1000\n"],
    ["CHUNK_SIZE=\n", [""], THOUSAND, "CHUNK_SIZE=1000\n"],
    [
      "cat <<EOF\nCHUNK_SIZE=1\nEOF\nCHUNK_SIZE=2\n",
      ["2"],
      THOUSAND,
      "cat <<EOF\nCHUNK_SIZE=1\nEOF\nCHUNK_SIZE=1000\n",
    ],
    ["((x << 2))\nCHUNK_SIZE=2\n", ["2"], THOUSAND, "((x << 2))\nCHUNK_SIZE=1000\n"],
    ["# don't\nCHUNK_SIZE=2\n", ["2"], THOUSAND, "# don't\nCHUNK_SIZE=1000\n"],
    ['echo "\nCHUNK_SIZE=1\n"\nCHUNK_SIZE=2\n', ["2"], THOUSAND, 'echo "\nCHUNK_SIZE=1\n"\nCHUNK_SIZE=1000\n'],
    ["x=$(a 'b)' \"$(c)\") CHUNK_SIZE=2\n", ["2"], THOUSAND, "x=$(a 'b)' \"$(c)\") CHUNK_SIZE=1000\n"],
    ["MY_CHUNK_SIZE=2\n", "has no assignment CHUNK_SIZE=...", THOUSAND, "has no assignment CHUNK_SIZE=..."],
    ["echo CHUNK_SIZE=2\n", "has no assignment CHUNK_SIZE=...", THOUSAND, "has no assignment CHUNK_SIZE=..."],
    ["", "has no assignment CHUNK_SIZE=...", THOUSAND, "has no assignment CHUNK_SIZE=..."],
    ["CHUNK_SIZE=a\n", ["a"], words("it's $(rm -rf /)"), "CHUNK_SIZE='it'\\''s $(rm -rf /)'\n"],
    ['CHUNK_SIZE="a"\n', ["a"], words('`"$x\\'), 'CHUNK_SIZE="\\`\\"\\$x\\\\"\n'],
    ["CHUNK_SIZE='a'\n", ["a"], words("b\nc"), "CHUNK_SIZE='b\nc'\n"],
    ["CHUNK_SIZE=${X:-a}\n", ["a"], words("b c"), '"b c" cannot be written there; change it by hand'],
    ["CHUNK_SIZE=1\n", ["1"], integer("18446744073709551615"), "CHUNK_SIZE=18446744073709551615\n"],
    [
      "CHUNK_SIZE='unfinished\n",
      'computes CHUNK_SIZE when it runs ("\'unfinished\\n")',
      THOUSAND,
      'computes CHUNK_SIZE when it runs ("\'unfinished\\n")',
    ],
  ]);
});

t.test("JSON pointers", async (t) => {
  const missing = "has nothing at /default_params/chunk_size";
  const json = (value: string) => `{\n    "default_params": { "chunk_size": ${value} , "b":2},\n}`;
  table(t, createJsonEditor("/default_params/chunk_size"), [
    [json("500"), ["500"], THOUSAND, json("1000")],
    [
      `\uFEFF// note\r\n${json("500 /* now */")}\r\n`,
      ["500"],
      THOUSAND,
      `\uFEFF// note\r\n${json("1000 /* now */")}\r\n`,
    ],
    [json('"1000"'), ["1000"], THOUSAND, json("1000")],
    [json("1000"), ["1000"], words("1000"), json('"1000"')],
    [json("1000.0"), ["1000.0"], THOUSAND, json("1000")],
    [json("null"), ["null"], integer("0x3e8"), json("1000")],
    [json("9007199254740993"), ["9007199254740993"], integer("9007199254740992"), json("9007199254740992")],
    [json("1"), ["1"], integer("18446744073709551615"), json("18446744073709551615")],
    [json("1"), ["1"], words('"\n\\'), json('"\\"\\n\\\\"')],
    [json("1"), ["1"], { kind: "boolean", text: "True" }, json("true")],
    [json("1"), ["1"], { kind: "float", text: ".inf" }, '".inf" cannot be written there; change it by hand'],
    [json('1, "chunk_size": 2'), ["1", "2"], THOUSAND, json('1000, "chunk_size": 1000')],
    [
      json("[1]"),
      "has a list or an object at /default_params/chunk_size, not a value",
      THOUSAND,
      "has a list or an object at /default_params/chunk_size, not a value",
    ],
    ["{}", missing, THOUSAND, missing],
    ["[1]", missing, THOUSAND, missing],
    ['{"default_params": "chunk_size"}', missing, THOUSAND, missing],
    ['{\n"default_params":', "is not JSON: ValueExpected in line 2", THOUSAND, "is not JSON: ValueExpected in line 2"],
    ["", "is not JSON: ValueExpected in line 1", THOUSAND, "is not JSON: ValueExpected in line 1"],
    ["[".repeat(200_000), "is nested too deeply", THOUSAND, "is nested too deeply"],
  ]);
  table(t, createJsonEditor("/a~1b/1/m~0n"), [['{"a/b":[0,{"m~n":1}]}', ["1"], THOUSAND, '{"a/b":[0,{"m~n":1000}]}']]);
  table(t, createJsonEditor("/__proto__/toString"), [
    ["{}", "has nothing at /__proto__/toString", THOUSAND, "has nothing at /__proto__/toString"],
  ]);
});

t.test("YAML paths", async (t) => {
  const yaml = (value: string) => `# top\ntraining:   {a: 1}\nsteps:\n- chunk_size:   ${value}\n  other: x   # kept\n`;
  const refused = (text: string, problem: string): Row => [text, problem, THOUSAND, problem];
  table(t, createYamlEditor("/steps/0/chunk_size"), [
    [yaml("500   # why"), ["500"], THOUSAND, yaml("1000   # why")],
    [yaml("500").replaceAll("\n", "\r\n"), ["500"], THOUSAND, yaml("1000").replaceAll("\n", "\r\n")],
    ["steps: [{chunk_size: 500}]", ["500"], THOUSAND, "steps: [{chunk_size: 1000}]"],
    [yaml("'500'"), ["500"], THOUSAND, yaml("1000")],
    [yaml("0x3E8"), ["0x3E8"], THOUSAND, yaml("0x3E8")],
    [
      yaml("18446744073709551616"),
      ["18446744073709551616"],
      integer("18446744073709551615"),
      yaml("18446744073709551615"),
    ],
    [yaml("&size 500"), ["500"], THOUSAND, yaml("&size 1000")],
    [yaml("old"), ["old"], words("new one"), yaml("new one")],
    [yaml("old"), ["old"], words("1000"), yaml('"1000"')],
    [yaml("old"), ["old"], words("a: b # c"), yaml('"a: b # c"')],
    [yaml("'old'"), ["old"], words("it's"), yaml("'it''s'")],
    [yaml('"old"'), ["old"], words('a\n"'), yaml('"a\\n\\""')],
    [yaml("|\n    old\n    text"), ["old\ntext\n"], words("new"), yaml('"new"')],
    [yaml("true"), ["true"], { kind: "boolean", text: "false" }, yaml("false")],
    [yaml("1\n  chunk_size: 2"), ["1", "2"], THOUSAND, yaml("1000\n  chunk_size: 1000")],
    refused(
      yaml("*size").replace("{a: 1}", "&size 4"),
      "has the alias *size at /steps/0/chunk_size; name the place of &size",
    ),
    refused(yaml("[1]"), "has a list or a mapping at /steps/0/chunk_size, not a value"),
    refused(yaml(""), "has no value at /steps/0/chunk_size"),
    refused("steps: []\n", "has nothing at /steps/0/chunk_size"),
    refused("", "has nothing at /steps/0/chunk_size"),
    refused("[".repeat(100_000), "is nested too deeply"),
  ]);
  t.match(createYamlEditor("/a").find("a: [\n"), { problem: /^cannot be parsed as YAML: .* \(line \d\)$/ });
  t.match(createYamlEditor("/a").find("a: !x 1\n"), { problem: /^has the tag !x at \/a/ });
  t.match(createYamlEditor("/a").find("a: 1\n---\na: 2\n"), { problem: /^cannot be parsed as YAML/ });
});

t.test("regular expressions", async (t) => {
  const NONE = "has nothing that /^chunk *= *(\\d+)/ matches";
  table(t, createRegexEditor("^chunk *= *(\\d+)"), [
    ["[a]\nchunk = 500 ; why\r\n", ["500"], THOUSAND, "[a]\nchunk = 1000 ; why\r\n"],
    ["chunk=1\nchunk=2", ["1", "2"], THOUSAND, "chunk=1000\nchunk=1000"],
    ["#chunk=1\n", NONE, THOUSAND, NONE],
    ["chunk=1\n", ["1"], words("x"), '"x" cannot be written there; change it by hand'],
    ["chunk=1\n", ["1"], words("10\nchunk=3"), '"10\\nchunk=3" cannot be written there; change it by hand'],
    ["chunk=1\n", ["1"], words("$&"), '"$&" cannot be written there; change it by hand'],
  ]);
  table(t, createRegexEditor("a(x)?"), [
    ["a", "has nothing that /a(x)?/ matches", THOUSAND, "has nothing that /a(x)?/ matches"],
  ]);
  t.match(createRegexEditor("(x*)").replace("", words("xx")), { problem: /cannot be written/ }, "an empty match moves");
});

t.test("values of the inventory keep their type and notation", async (t) => {
  t.same(toScalarValue(1000, "0x3e8"), integer("0x3e8"));
  t.same(toScalarValue(0.1, "0.10"), { kind: "float", text: "0.10" });
  t.same(toScalarValue("1000", "1000"), words("1000"));
  t.same(toScalarValue(true, "True"), { kind: "boolean", text: "True" });
  t.same(toScalarValue(2n ** 64n - 1n, "18446744073709551615"), integer("18446744073709551615"));
  t.ok(isSameScalar({ kind: "float", text: "0.10" }, { kind: "float", text: "0.1" }));
  t.notOk(isSameScalar(THOUSAND, { kind: "float", text: "1000.0" }));
});
