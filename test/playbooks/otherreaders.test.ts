import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { createJsonEditor } from "../../playbooks/manifest/jsonpointer.js";
import { createShellEditor } from "../../playbooks/manifest/shellassignment.js";
import { type ScalarValue, toScalarValue, type ValueEditor } from "../../playbooks/manifest/valueeditor.js";
import { createYamlEditor } from "../../playbooks/manifest/yamlpath.js";

const pyyaml = spawnSync("python3", ["-c", "import yaml"]).status === 0;
const skip = pyyaml ? false : "needs PyYAML: pip install pyyaml";

/** What a program of Python makes of each text: `type value`, or `error ...`. */
function readWithPython(load: string, texts: string[]): string[] {
  const program = `import json, sys
def look(text):
    try:
        value = ${load}
    except Exception as error:
        return "error " + str(error)
    return type(value).__name__ + " " + str(value)
print(json.dumps([look(text) for text in json.load(sys.stdin)]))`;
  const { stdout, stderr, status } = spawnSync("python3", ["-c", program], { input: JSON.stringify(texts) });
  if (status !== 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString());
}

function write(t: Test, editor: ValueEditor, text: string, value: ScalarValue): string {
  const result = editor.replace(text, value);
  if ("text" in result) return result.text;
  t.fail("cannot be written", { text, value, result });
  return "";
}

/** The rows whose last two texts differ. */
const differing = (rows: string[][]) => rows.filter((row) => row.at(-1) !== row.at(-2));

const TEXTS =
  "on off yes no On NO y N true False null Null ~ 012 0o12 0x1F 0b1 1_000 1:30 1:30.5 1e3 1.5e3 1e+3 .5 1. 1.2.3 .inf -.INF .nan NaN inf " +
  "2024-01-01 2024-1-1T1:30:00Z = << - -- +1 -1 a a_b /srv/x x:y %x @x `x [x {x !x &x *x |x >x ? , # 'x \"x x\\y 08 09.5 0.1 1000 v1.0 --- ...";
const texts = [
  ...TEXTS.split(" "),
  "",
  " ",
  "a b",
  " a",
  "a ",
  "a: b",
  "a #b",
  "ä",
  "😀",
  "x\u0085y",
  "x\u2028y",
  "\ufeffx",
  "x\x7fy",
];

t.test("PyYAML reads every text that is written as that text, whatever the style was", { skip }, async (t) => {
  const editor = createYamlEditor("/a/0");
  const styles = ["old", "'old'", '"old"', "012", "on", "~"];
  const cases = texts.flatMap((text) => styles.map((style) => ({ text, style })));
  const written = cases.map(({ text, style }) => write(t, editor, `a: [${style}, x]\n`, { kind: "text", text }));
  const found = readWithPython("yaml.safe_load(text)['a'][0]".replace("yaml", "__import__('yaml')"), written);
  t.same(differing(cases.map(({ text }, index) => [written[index]!, `str ${text}`, found[index]!])), []);
});

t.test("PyYAML reads numbers and booleans that are written with their type", { skip }, async (t) => {
  const editor = createYamlEditor("/a");
  const table: [ScalarValue, string][] = [
    [toScalarValue(1000n, "1000"), "int 1000"],
    [toScalarValue(12n, "012"), "int 12"],
    [toScalarValue(10n, "0o12"), "int 10"],
    [toScalarValue(31n, "0x1F"), "int 31"],
    [toScalarValue(1000, "1e3"), "float 1000.0"],
    [toScalarValue(0.001, "1E-3"), "float 0.001"],
    [toScalarValue(1500, "+1.5e3"), "float 1500.0"],
    [toScalarValue(0.5, ".5"), "float 0.5"],
    [toScalarValue(1, "1."), "float 1.0"],
    [toScalarValue(Number.POSITIVE_INFINITY, ".inf"), "float inf"],
    [toScalarValue(true, "True"), "bool True"],
  ];
  const written = table.map(([value]) => write(t, editor, "a: old\n", value));
  const found = readWithPython("__import__('yaml').safe_load(text)['a']", written);
  t.same(differing(table.map(([, expected], index) => [written[index]!, expected, found[index]!])), []);
});

t.test(
  "a value that PyYAML reads differently is a difference, and is written so that all agree",
  { skip },
  async (t) => {
    const editor = createYamlEditor("/a");
    const table: [have: string, want: ScalarValue, then: string][] = [
      ["on", { kind: "text", text: "on" }, '"on"'],
      ["1:30", { kind: "text", text: "1:30" }, '"1:30"'],
      ["2024-01-01", { kind: "text", text: "2024-01-01" }, '"2024-01-01"'],
      ["1_000", { kind: "text", text: "1_000" }, '"1_000"'],
      ["012", toScalarValue(12n, "12"), "12"],
      ["0o14", toScalarValue(12n, "12"), "12"],
      ["1e3", toScalarValue(1000, "1e3"), "1.0e+3"],
    ];
    for (const [have, want, then] of table) {
      t.match(editor.find(`a: ${have}\n`), { found: [{ ambiguity: /^YAML 1.1 readers take it for / }] }, have);
      t.same(editor.replace(`a: ${have}\n`, want), { text: `a: ${then}\n` });
    }
    const plain = [...texts, "./x", "1.2.3", "x-1"].filter((text) => /^[\w./][\w./:-]*$/.test(text) && text !== "...");
    const files = plain.map((text) => `a: ${text}\n`);
    const types = readWithPython("__import__('yaml').safe_load(text)['a']", files).map((one) => one.split(" ")[0]);
    const KINDS = { text: "str", integer: "int", float: "float", boolean: "bool", null: "NoneType", untyped: "" };
    const rows = plain.map((text, index) => {
      const result = editor.find(files[index]!);
      const [one] = "found" in result ? result.found : [];
      if (one === undefined) return [text, "found", "not found"];
      const agrees = KINDS[one.kind] === types[index] && !(one.kind === "integer" && /^0\d/.test(text));
      return [text, `agrees: ${agrees}`, `agrees: ${one.ambiguity === undefined}`];
    });
    t.same(differing(rows), []);
  },
);

t.test("what is elsewhere in a YAML file does not keep a value from being written", async (t) => {
  const editor = createYamlEditor("/size");
  for (const other of [
    "a: !vault |\n  abc",
    "a: !!python/tuple [1, 2]",
    "a: !Ref x",
    "a: .nan",
    "? [a, b]\n: 1",
    "a: 1\na: 2",
    "b: &b {x: 1}\nc: {<<: *b}",
  ])
    t.same(editor.replace(`${other}\nsize: 1\nz: !x y\n`, toScalarValue(2n, "2")), {
      text: `${other}\nsize: 2\nz: !x y\n`,
    });
  t.same(createYamlEditor("/a/size").replace("a: !config\n  size: 1\n", toScalarValue(2n, "2")), {
    text: "a: !config\n  size: 2\n",
  });
  t.same(editor.find("size: !env 1\n"), { problem: "has the tag !env at /size; change its value by hand" });
  t.match(editor.find("size: 1\nb: [\n"), { problem: /^cannot be parsed as YAML: .* \(line \d\)$/ });
});

t.test("NaN and Infinity elsewhere do not keep a JSON value from being written; Python reads it", async (t) => {
  const editor = createJsonEditor("/size");
  const around = (value: string) =>
    `{"NaN": "NaN", "a": [NaN, -Infinity,Infinity , -1e-3], "size":${value}, "b": {"c":NaN}}\r\n`;
  t.same(editor.replace(around("1"), toScalarValue(2n, "2")), { text: around("2") });
  t.same(editor.replace(around("NaN"), toScalarValue(2n, "2")), { text: around("2") });
  t.match(editor.find(around("-Infinity")), { found: [{ kind: "float", text: "-Infinity" }] });
  t.match(editor.find('{"size": 1, "a": Nan}'), { problem: /^is not JSON: InvalidSymbol in line 1/ });
  const written = texts.map((text) => write(t, editor, around("1"), { kind: "text", text }));
  const found = readWithPython("json.loads(text)['size']", written);
  t.same(differing(texts.map((text, index) => [`str ${text}`, found[index]!])), []);
});

const SCRIPT = join(t.testdir({}), "script");

/** The value of SIZE after bash has executed a script; undefined if it has none. */
function runWithBash(script: string): string | undefined {
  const program = 'source "$0" >/dev/null 2>&1; printf %s "${SIZE-unset}"';
  writeFileSync(SCRIPT, script);
  const { stdout } = spawnSync("bash", ["-c", program, SCRIPT], { env: { PATH: "/usr/bin:/bin" } });
  const value = stdout.toString();
  return value === "unset" ? undefined : value;
}

t.test("bash sees the same assignments, and has the value that is written", { timeout: 120_000 }, async (t) => {
  const editor = createShellEditor("SIZE");
  // In all of them, the assignment of 500 is the last one that bash executes.
  const scripts = [
    "SIZE=500",
    "\\\nSIZE=500\n",
    "export A=1 \\\n  SIZE=500\n",
    "A=1 \\\n  B=2 \\\n  SIZE=500\n",
    "true && \\\nSIZE=500\n",
    "SI\\\nZE=500\n",
    "SIZE\\\n=500\n",
    "SIZE=5\\\n00\n",
    'SIZE="5\\\n00"\n',
    "x=$(cat <<EOF\nit's ) here\nEOF\n)\nSIZE=500\n",
    "x=$(cat <<'E F'\n\"\nE F\n) SIZE=500\n",
    'x="$(cat <<EOF\n"\nEOF\n)"\nSIZE=500\n',
    "x=$(cat <<-EOF\n\tSIZE=1\n\t\tEOF\n)\nSIZE=500\n",
    "x=$(cat <<A <<B\n'\nA\n)\nB\n)\nSIZE=500\n",
    "x=$( # it's )\n)\nSIZE=500\n",
    "x=$(case a in a) echo ')';; (b) echo;; esac)\nSIZE=500\n",
    "x=$(case a in\na|b) echo;;\nesac; (echo))\nSIZE=500\n",
    "x=$(SIZE=1; echo $(SIZE=2))\nSIZE=500\n",
    "x=$(( (1 << 2) + 1 ))\nSIZE=500\n",
    "(( x = 1 << 2 ))\nSIZE=500\n",
    "x=$((echo a); (echo b))\nSIZE=500\n",
    "x=\"${y:-'}'}\"\nSIZE=500\n",
    "x=${y:-'}'}\nSIZE=500\n",
    "x=\"${y#'}'}\"\nSIZE=500\n",
    'x="${y:-"}"}"\nSIZE=500\n',
    "x=${y:-$(cat <<E\n}'\nE\n)}\nSIZE=500\n",
    "x=`echo '\\`'\\`` SIZE=500\n",
    "x=$'it\\'s'\nSIZE=500\n",
    "cat <<EOF\n EOF\nSIZE=1\nEOF\nSIZE=500\n",
    "cat <<-EOF\n\tSIZE=1\n\tEOF\nSIZE=500\n",
    "cat <<\\EOF >/dev/null\n$(\nEOF\nSIZE=500\n",
    "cat <<< SIZE=1\nSIZE=500\n",
    ">/dev/null SIZE=500\n",
    "2>/dev/null SIZE=500\n",
    "true >/dev/null 2>&1 SIZE=1; SIZE=500\n",
    "export A=1 2>&1 SIZE=500\n",
    "true &>/dev/null SIZE=1 && SIZE=500\n",
    "cat <(SIZE=1; echo ')') SIZE=1; SIZE=500\n",
    "A=(SIZE=1 'b)' $(echo ')'))\nSIZE=500\n",
    "declare -a A=(1) SIZE=500\n",
    "if true; then SIZE=500; else :; fi\n",
    "case a in a) SIZE=500;; *) : ;; esac\n",
    "f() { SIZE=500; }; f\n",
    "for i in 1; do SIZE=500; done\n",
    "while :; do SIZE=500; break; done\n",
    "! true; SIZE=500\n",
    "echo a#b; SIZE=500 # SIZE=1\n",
    "SIZE=1; SIZE=500\n",
    "[ a = a ] && SIZE=500\n",
    "[[ a == @(a|b) ]] && SIZE=500\n",
    "A=*.txt SIZE=500\n",
  ];
  const rows = scripts.map((script) => {
    const bash = runWithBash(script);
    const result = editor.find(script);
    const ours = "found" in result ? result.found.at(-1)?.text : result.problem;
    return [script, String(ours), String(bash)];
  });
  t.same(differing(rows), []);
  const values = ["1000", "", "it's", "a b", "$(x)", "\\", '"', "`", "*", "~", "#x", "a\nb", "ä", "!x", "{a,b}"];
  const written = scripts.flatMap((script) => {
    const value = values[script.length % values.length]!;
    const result = editor.replace(script, { kind: "text", text: value });
    return "text" in result ? [[result.text, String(runWithBash(result.text)), value]] : [];
  });
  t.equal(written.length, scripts.length);
  t.same(differing(written), []);
  for (const value of values)
    for (const style of ["SIZE=1", "SIZE='1'", 'SIZE="1"', "export SIZE=1"]) {
      const result = editor.replace(`${style}\n`, { kind: "text", text: value });
      t.equal("text" in result ? runWithBash(result.text) : result.problem, value, `${style} ${JSON.stringify(value)}`);
    }
});

t.test("hostile scripts end the search in time", { timeout: 60_000 }, async (t) => {
  const editor = createShellEditor("SIZE");
  for (const part of [
    "$(",
    "${",
    '"$(',
    "((",
    "$((",
    "`",
    "(",
    "<(",
    "A=(",
    "<<E\n",
    "case ",
    "\\\n",
    "$(cat <<E\n'\nE\n)",
    "${x:-",
  ])
    t.ok(editor.find(part.repeat(2 ** 20 / part.length)), part.replaceAll("\n", " "));
});
