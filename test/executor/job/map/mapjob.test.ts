import t from "tap";
import { formatMapJob, listMapTasks, type MapRequest, nameMapJob } from "../../../../executor/job/map/mapjob.js";
import { combineLists } from "../../../../executor/job/map/valuelists.js";

const request = (command: string[], keys: Partial<MapRequest> = {}) => ({
  command,
  table: combineLists([["data/x 1.json", "b"]]),
  outputs: [],
  keys: {},
  name: "n",
  ...keys,
});

t.test("names of jobs", async (t) => {
  const cases: [string[], string][] = [
    [["./score.py", "{}"], "score"],
    [["python3", "work/train.py"], "train"],
    [["python3", "-m", "x"], "python3"],
    [["sh", "-c", "echo"], "sh"],
    [["gzip -k {} | wc"], "gzip"],
  ];
  for (const [command, name] of cases) t.equal(nameMapJob(command), name, command.join(" "));
});

t.test("a task for each value", async (t) => {
  t.match(listMapTasks(request(["echo", "-n"], { outputs: ["{.}.out"] })), [
    { id: "1-x%201.json", words: ["echo", "-n", "data/x 1.json"], outputs: ["data/x 1.out"] },
    { id: "2-b", words: ["echo", "-n", "b"], outputs: ["b.out"] },
  ]);
  t.same(listMapTasks(request(["cat {} | wc -l"]))[0]!.words, ["cat 'data/x 1.json' | wc -l"], "quoted for the shell");
  t.same(listMapTasks(request(["echo hi"]))[1]!.words, ["echo hi b"]);
  t.throws(() => listMapTasks(request(["echo", "{2}"])), { code: "USAGE" });
  t.throws(() => listMapTasks(request(["echo"], { outputs: ["{4}"] })), { code: "USAGE" });
});

t.test("the job file", async (t) => {
  const scripted = request(["./a.py", "{}", "{x}"], { keys: { timeout: "10m" } });
  const program = { script: "../../a.py", findInputs: (texts: readonly string[]) => texts.slice(-1) };
  t.equal(
    formatMapJob(scripted, listMapTasks(scripted), program, ["about"]),
    [
      "# about",
      'name: "n"',
      'kind: "tasks"',
      'timeout: "10m"',
      'script: "../../a.py"',
      'outputs: ["stdout"]',
      "tasks:",
      '  - {"id":"1-x%201.json","args":["data/x 1.json","{{x}}"],"inputs":["data/x 1.json"]}',
      '  - {"id":"2-b","args":["b","{{x}}"],"inputs":["b"]}',
      "",
    ].join("\n"),
  );
  const shell = request(["echo {}"], { outputs: ["{}.txt"] });
  const text = formatMapJob(shell, listMapTasks(shell), { script: undefined, findInputs: () => [] }, []);
  t.match(text, 'command: ["sh","-c"]\ntasks:\n  - {"id":"1-x%201.json","args":["echo \'data/x 1.json\'"],"outputs":');
});
