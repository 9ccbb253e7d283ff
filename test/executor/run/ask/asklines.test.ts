import t from "tap";
import {
  formatFailure,
  formatResult,
  formatTask,
  parseAnswer,
  showLine,
} from "../../../../executor/run/ask/askline.js";
import { AskRestarts } from "../../../../executor/run/ask/askrestarts.js";
import { AskWant } from "../../../../executor/run/ask/askwant.js";

const ANSWERS: [line: string, answer: object][] = [
  ['{"id": "t1", "params": {"x": 1}}', { kind: "task", id: "t1" }],
  ['{"stop": "t1"}', { kind: "stop", id: "t1" }],
  ['{"done": true}', { kind: "done" }],
  ['{"done": false}', { kind: "unknown" }],
  ['{"stop": 3}', { kind: "unknown" }],
  ['{"stop": "t1", "done": true}', { kind: "unknown" }],
  ["hello", { kind: "unknown", why: "is not JSON" }],
  ["[1]", { kind: "unknown", why: "is no JSON object" }],
];

for (const [line, answer] of ANSWERS) t.test(line, async (t) => t.match(parseAnswer(line), answer));

t.test("a line that is longer than any answer is not read", async (t) => {
  t.match(parseAnswer(`{"id": "${"x".repeat(1 << 20)}"}`), { kind: "unknown", why: "is longer than 1 MiB" });
});

t.test("lines to the program keep integers of any size", async (t) => {
  const params = { seed: 2n ** 64n, name: "a" };
  const line =
    '{"chunk":"t1","node":"rig","slot":0,"attempt":1,"seconds":2.5,"sha256":"","values":[[0,1],[1,null]],"stopped":true,"output":{"n":18446744073709551616}}';
  const text = formatResult(line, () => params);
  t.match(text, '"output": {"n":18446744073709551616}');
  t.match(text, '"params": {"seed": 18446744073709551616, "name": "a"}');
  t.match(JSON.parse(text), {
    id: "t1",
    seconds: 2.5,
    node: "rig",
    stopped: true,
    values: [
      [0, 1],
      [1, null],
    ],
  });
  t.match(JSON.parse(formatTask("t2", { x: 1 })), { task: { id: "t2", params: { x: 1 } } });
  const failure = {
    chunk: "t3",
    node: "rig",
    slot: 0,
    attempt: 3,
    exit: 1,
    signal: null,
    reason: "exit code 1",
    stderr: "",
  };
  t.same(JSON.parse(formatFailure(failure, {})), { id: "t3", params: {}, failure: "exit code 1", node: "rig" });
  t.equal(showLine("x".repeat(100)).length, 65);
});

t.test("tasks are asked for once for each rise of the number of idle slots", async (t) => {
  const want = new AskWant();
  const steps: [usable: number, open: number, asked: number | undefined][] = [
    [0, 0, undefined],
    [4, 0, 4],
    [4, 0, undefined],
    [8, 0, 8],
    [2, 0, undefined],
    [4, 0, 4],
    [4, 9, undefined],
    [4, 3, 1],
  ];
  for (const [usableSlots, openTasks, asked] of steps) t.equal(want.next({ usableSlots, openTasks }), asked);
  t.ok(want.isOpen);
  want.recordAnswer();
  t.equal(want.next({ usableSlots: 4, openTasks: 3 }), 1, "what is lacking after an answer is asked for again");
});

t.test("a program that dies starts again after a growing pause, and not without end", async (t) => {
  const restarts = new AskRestarts();
  const pauses = [false, false, true, false, false, false, false].map((hasProgressed) =>
    restarts.recordDeath(hasProgressed),
  );
  t.same(pauses, [1, 2, 1, 2, 4, 8, undefined]);
});
