import { execFileSync } from "node:child_process";
import t from "tap";
import { explainNotANumber, parseOutput } from "../../../../executor/run/results/jsontext.js";

t.test("what Python writes for numbers that JSON does not have is reported, or read as null", async (t) => {
  const script = `import json, math
value = {"a": [math.nan, 1, math.inf], "NaN": "-Infinity NaN \\" NaN", "b": -math.inf}
print(json.dumps(value, indent=1))`;
  const text = execFileSync("python3", ["-c", script], { encoding: "utf8" });
  t.equal(parseOutput(text, false).kind, "notANumber");
  const parsed = parseOutput(text, true);
  t.same(parsed.kind === "json" && JSON.parse(parsed.text), {
    a: [null, 1, null],
    NaN: '-Infinity NaN " NaN',
    b: null,
  });
});

t.test("texts", async (t) => {
  const table: [text: string, kind: string, where?: string][] = [
    ["1", "json"],
    ["NaN", "notANumber", "r:1:1: NaN is not JSON"],
    ['["x",\n  -Infinity]', "notANumber", "r:2:3: -Infinity is not JSON"],
    ['{"NaN": 1}', "json"],
    ['{"a": NaNa}', "text"],
    ["{a: NaN}", "text"],
    ["", "text"],
    ["Traceback: NaN", "text"],
    ["[1, NaN, 2", "text"],
  ];
  for (const [text, kind, where] of table) {
    const parsed = parseOutput(text, false);
    t.equal(parsed.kind, kind, text);
    if (parsed.kind === "notANumber") t.equal(explainNotANumber("r", text, parsed), where);
  }
});
