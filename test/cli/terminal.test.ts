import t from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

t.test("tty: true of a job and of a jobs file gives programs a terminal", async (t) => {
  shop.write("look.py", "import os, sys\nprint(sys.stdin.isatty(), sys.stdout.isatty(), *os.get_terminal_size())\n");
  shop.write("job.json", { kind: "tasks", tty: true, tasks: [{ id: "a", script: "look.py" }] });
  shop.write("jobs.json", { tty: true, jobs: [{ job_id: "a", script: "out.py", args: ["--output", "a.txt"] }] });
  shop.write("out.py", `${shop.read("look.py")}open(sys.argv[2], "w").close()\n`);
  for (const name of ["job", "jobs"]) {
    const ran = await runMuster(["run", `${name}.json`, "-i", "local", "-q"], { cwd: shop.folder });
    t.equal(ran.code, 0, ran.err);
    t.equal(shop.read(`runs/${name}/logs/a.out`), "True True 80 24\n");
  }
});

t.test("the failure of a program with a terminal shows what it printed last", async (t) => {
  const tasks = [{ id: "a", command: ["sh", "-c", "echo why; exit 3"] }];
  shop.write("failing.json", { kind: "tasks", tty: true, retry: { attempts: 1 }, tasks });
  const ran = await runMuster(["run", "failing.json", "-i", "local"], { cwd: shop.folder });
  t.equal(ran.code, 3);
  t.match(ran.out, /failed: chunk a on .*: exit code 3\n {4}why\n/);
});

t.test("another value of tty is refused, and a change of it makes another job", async (t) => {
  shop.write("bad.json", { kind: "tasks", tty: "yes", tasks: [{ id: "a", script: "look.py" }] });
  t.match(await runMuster(["validate", "bad.json"], { cwd: shop.folder }), {
    code: 65,
    err: /tty must be true or false/,
  });
  shop.write("job.json", { kind: "tasks", tasks: [{ id: "a", script: "look.py" }] });
  const ran = await runMuster(["run", "job.json", "-i", "local"], { cwd: shop.folder });
  t.equal(ran.code, 65);
  t.match(ran.err, /tty/);
});

t.test("progress bars are folded, in logs and in the report of a failure", async (t) => {
  const bar =
    "i=0; while [ $i -lt 200 ]; do printf '\\r%s %%' $i >&2; i=$((i+1)); done; printf '\\r\\nbroken\\n' >&2; exit 4";
  const tasks = [{ id: "a", command: ["sh", "-c", bar.replaceAll("{", "{{").replaceAll("}", "}}")] }];
  shop.write("bars.json", { kind: "tasks", retry: { attempts: 1 }, tasks });
  const ran = await runMuster(["run", "bars.json", "-i", "local"], { cwd: shop.folder });
  t.equal(ran.code, 3);
  t.equal(shop.read("runs/bars/logs/a.err"), "199 %\nbroken\n");
  t.match(ran.out, /exit code 4\n {4}199 %\n {4}broken\n/);
});
