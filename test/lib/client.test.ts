import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { readAnyRunStatus } from "../../executor/pipeline/anyrunstatus.js";
import { checkNodes, committedChunks } from "../faults/checks.js";
import { projectRoot } from "../lab/project.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { closeGates, gatedJob, openGate } from "./gatedjob.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: 2, gpus: 2 }, "opening gates on nodes");
const { folder } = shop;

t.afterEach(() => closeGates(nodes));

const HEADER = `import json, sys
from muster_client import MusterError, add, list_runs, run, status
job = json.loads(sys.argv[1])
settings = dict(inventory=sys.argv[2], muster=sys.argv[3:])
`;

/** A Python program that uses the client. `job` is in it, and `settings` for \`run\`. */
class ClientProgram {
  readonly ended: Promise<number | null>;
  out = "";
  err = "";
  readonly child: ChildProcess;

  constructor(job: object, program: string) {
    const muster = [process.execPath, join(projectRoot(), "dist/bundle/cli/main.js")];
    const words = ["-u", "-c", HEADER + program, JSON.stringify(job), inventory, ...muster];
    const env = { ...process.env, PYTHONPATH: join(projectRoot(), "templates/worker") };
    this.child = spawn("python3", words, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout!.on("data", (bytes) => {
      this.out += bytes;
    });
    this.child.stderr!.on("data", (bytes) => {
      this.err += bytes;
    });
    this.ended = new Promise((resolve) => this.child.on("close", resolve));
  }

  printed(text: string): Promise<void> {
    return waitUntil(`${text} is printed`, () => this.out.includes(text) || this.child.exitCode !== null);
  }
}

const stateOf = (run: string) => readAnyRunStatus(join(folder, "runs", run), Date.now()).state;

t.test("results arrive while the run goes on, and integers are exact", { skip }, async (t) => {
  const big = "12345678901234567890";
  const job = gatedJob("client", { a: "", [big]: "1" });
  const program = new ClientProgram(
    job,
    `with run(job, **settings) as results:
    for result in results:
        print(result.chunk, result.output, result.files[0].read_text().strip(), status(results.directory, muster=sys.argv[3:])["state"])
print(results.end.meaning, results.end.exit_status, results.end.already)
again = run(job, **settings)
print([result.chunk for result in again], again.end.already, [one["name"] for one in list_runs(muster=sys.argv[3:])])
`,
  );
  await program.printed("a a");
  openGate(nodes, "1");
  t.equal(await program.ended, 0, program.err);
  t.match(program.out, /^a a "a" running\n/);
  t.match(program.out, /^done 0 False$/m);
  t.match(program.out, `['a', '${big}'] True ['client']`);

  const range = {
    name: "exact",
    kind: "range",
    range: [0, 1],
    params: { seed: 0 },
    project: "none",
    outputs: ["stdout"],
  };
  const exact = new ClientProgram(
    { ...range, command: ["sh", "-c"], args: ["echo [{start}, {seed}]"] },
    `job["range"] = [2 ** 64, 2 ** 64 + 1]; job["params"]["seed"] = 2 ** 63 + 1
for result in run(job, **settings):
    assert result.output == [2 ** 64, 2 ** 63 + 1] and result.range == (2 ** 64, 2 ** 64 + 1), result
`,
  );
  t.equal(await exact.ended, 0, exact.err);
});

t.test("KeyboardInterrupt ends a run as Ctrl-C does, and the next run resumes it", { skip }, async (t) => {
  const job = gatedJob("keyboard", { a: "", b: "later" });
  const program = new ClientProgram(
    job,
    `try:
    with run(job, **settings) as results:
        for result in results:
            print(result.chunk)
except KeyboardInterrupt:
    print(results.end.meaning, results.end.exit_status)
`,
  );
  await program.printed("a\n");
  program.child.kill("SIGINT");
  t.equal(await program.ended, 0, program.err);
  t.equal(program.out, "a\ninterrupted 130\n");
  t.equal(stateOf("keyboard"), "interrupted");

  openGate(nodes, "later");
  const rest = new ClientProgram(job, "print(sorted(result.chunk for result in run(job, **settings)))\n");
  t.equal(await rest.ended, 0, rest.err);
  t.equal(rest.out, "['a', 'b']\n");
  await checkNodes(t, nodes);
});

t.test("a program that is killed leaves no coordinator behind", { skip }, async (t) => {
  const job = gatedJob("killed", { a: "", b: "second", c: "never" });
  const program = new ClientProgram(job, "for result in run(job, **settings): print(result.chunk)\n");
  await program.printed("a\n");
  program.child.kill("SIGKILL");
  await program.ended;
  openGate(nodes, "second");
  await waitUntil("its coordinator has ended", () => stateOf("killed") === "interrupted");
  t.same(committedChunks(join(folder, "runs/killed")), ["a", "b"]);

  openGate(nodes, "never");
  const rest = new ClientProgram(job, "print(sorted(result.chunk for result in run(job, **settings)))\n");
  t.equal(await rest.ended, 0, rest.err);
  t.equal(rest.out, "['a', 'b', 'c']\n");
  await checkNodes(t, nodes);
});

t.test("errors are exceptions with what muster says", { skip }, async (t) => {
  const program = new ClientProgram(
    gatedJob("errors", { a: "" }),
    `def refuse(call):
    try:
        call()
    except MusterError as error:
        print(error.code, error.exit_status, str(error).split("\\n")[0], [problem.get("pointer") for problem in error.problems])
refuse(lambda: run(dict(job, tasks=[{"id": "a", "argz": []}]), **settings))
refuse(lambda: run("nothing.yaml", **settings))
refuse(lambda: run(job, inventory="nothing.yaml", muster=sys.argv[3:]))
refuse(lambda: status("nothing", muster=sys.argv[3:]))
refuse(lambda: run(job, muster=["/nowhere/muster"]))
refuse(lambda: run(job, muster=["false"]))
`,
  );
  t.equal(await program.ended, 0, program.err);
  const lines = program.out.trimEnd().split("\n");
  t.equal(lines.length, 6, program.out);
  t.match(lines[0], /^INVALID_FILE 65 job#\/tasks\/0\/argz: unknown key "argz" in tasks\[0\] \['\/tasks\/0\/argz'/);
  t.match(lines[1], /^INVALID_FILE 65 .*nothing\.yaml: .* \[None\]$/);
  t.match(lines[2], /^(INVALID_FILE|NO_INVENTORY) 65 .*nothing\.yaml/);
  t.match(lines[3], /^USAGE 64 nothing: /);
  t.match(lines[4], /^COMMAND 69 there is no program \/nowhere\/muster on the PATH/);
  t.match(lines[5], /^BUG 1 muster ended with status 1: it printed nothing/);
});

t.test("tasks are added to a queue while it runs", { skip }, async (t) => {
  const { tasks: _, ...job } = gatedJob("queue", {});
  const program = new ClientProgram(
    { ...job, kind: "queue", args: ["{chunk}", ""] },
    `with run(job, **settings) as results:
    print(add(results.directory, [{"id": "t1"}], muster=sys.argv[3:])["added"])
    for result in results:
        print(result.chunk)
        if result.chunk == "t1":
            add(results.directory, [{"id": "t2"}], close=True, muster=sys.argv[3:])
print(results.end.meaning)
try:
    add(results.directory, [{"id": "t3"}], muster=sys.argv[3:])
except MusterError as error:
    print(error.code)
`,
  );
  t.equal(await program.ended, 0, program.err);
  t.equal(program.out, "1\nt1\nt2\ndone\nQUEUE_CLOSED\n");
});
