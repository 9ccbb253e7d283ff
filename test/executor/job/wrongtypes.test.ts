import t from "tap";
import { loadJob } from "../../../executor/job/loadjob.js";
import { parseSource } from "../../../schemas/parsesource.js";
import { catchProblems } from "../../schemas/problems.js";

t.test("a value of the wrong type comes with what was meant", async (t) => {
  for (const [line, message, hint] of [
    ["outputs: hits.json", 'outputs must be a list, not "hits.json"', "write [hits.json]"],
    ["command: python3 w.py", 'command must be a list, not "python3 w.py"', "write [python3, w.py]"],
    ["command: python3 -c 'x'", /^command must be a list/, undefined],
    ["range: 0-10", 'range must be a list, not "0-10"', undefined],
    ["args: [--from, {start}]", /^args\[1\] must be text/, 'write "{start}", with quotes, if it is a placeholder'],
    ["args: {start}", /^args must be a list/, 'write "{start}", with quotes, if it is a placeholder'],
    ["inputs: [{a: b}]", "inputs[0] must be text, not a mapping", undefined],
  ] as const) {
    const problems = catchProblems(() => loadJob(parseSource("/nowhere/job.yaml", `kind: range\n${line}\n`), {}));
    const problem = problems.find((one) => one.line === 2);
    t.match(problem?.message, message, line);
    t.equal(problem?.hint, hint, line);
  }
});
