import { spawnSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

const COMMANDS =
  "run bootstrap provision verify status attach report cancel logs why schedule doctor nodes exec drain undrain validate completion".split(
    " ",
  );

t.test("help fits 80 columns, and has examples", async (t) => {
  for (const words of [[], ...COMMANDS.map((name) => [name])]) {
    const { code, out } = await runMuster([...words, "--help"]);
    t.equal(code, 0);
    t.match(out, /\nExamples:\n {2}muster /, words.join());
    for (const line of out.split("\n")) t.ok(line.length <= 80, line);
  }
});

t.test("help has no option that means nothing, which is accepted all the same", async (t) => {
  const { out } = await runMuster(["status", "--help"]);
  t.notMatch(out, /--limit|--inventory|--quiet/);
  t.match(out, /--json/);
  t.equal((await runMuster(["status", shop.folder, "-q", "--limit", "x"])).code, 0);
});

t.test("status says where it looked", async (t) => {
  t.match((await runMuster(["status"], { cwd: shop.folder })).out, /^no runs in \S+, nor in \S+\/runs\n$/);
});

t.test("--json has a document also for errors", async (t) => {
  const usage = await runMuster(["run", "x", "--fersh", "--json"]);
  t.match(JSON.parse(usage.out), {
    error: { code: "USAGE", message: /unknown option '--fersh'/, next: /--fresh/ },
    exit: 64,
  });
  t.equal(usage.code, 64);
  const file = shop.write("bad.yaml", { kind: "range", rnge: [0, 1] });
  const invalid = await runMuster(["run", file, "--json"]);
  t.equal(invalid.code, 65);
  const document = JSON.parse(invalid.out);
  t.match(document, { error: { code: "INVALID_FILE" }, exit: 65 });
  t.match(document.error.problems.at(-1), { file, line: 3, message: 'unknown key "rnge"', hint: /range/ });
  t.match(invalid.err, /bad\.yaml:3/);
});

t.test("what is no job file gets one sentence", async (t) => {
  const table: [name: string, text: string, message: RegExp][] = [
    [
      "train.py",
      "import sys\nprint({1: 2})\n",
      /train\.py: is a program, not a job file\n +name it in a job file: script: train\.py\n$/,
    ],
    ["run", "#!/bin/sh\nexec true\n", /run: is a program, not a job file\n.*script: run\n$/],
    ["README.md", "# Title\n\n- a: b\n  c\n", /README\.md: is a text for people, not a job file\n.*\n$/],
  ];
  for (const [name, text, message] of table)
    t.match(await runMuster(["run", shop.write(name, text)]), { code: 65, err: message });
});

t.test("inventory.yml is found, too", async (t) => {
  shop.write("yml/inventory.yml", { nodes: { only: { connection: "local", slots: 1 } } });
  const job = shop.write("yml/job.yaml", { kind: "matrix", matrix: { n: [0, 1] }, command: ["true"] });
  const { code, out } = await runMuster(["run", job, "--plan"], { cwd: join(shop.folder, "yml") });
  t.equal(code, 0);
  t.match(out, /only: 1 slot/);
});

t.test("a Node.js that is too old is reported in one sentence", async (t) => {
  const older = `data:text/javascript,Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.18.3" } })`;
  const main = join(projectRoot(), "dist/bundle/cli/main.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", older, main, "status"], {
    encoding: "utf8",
  });
  t.equal(status, 69);
  t.equal(stdout, "");
  t.match(stderr, /^muster: Node\.js 20\.19 or newer is needed, this is 20\.18\.3: .*\n$/);
});
