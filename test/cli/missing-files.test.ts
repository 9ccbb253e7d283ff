import t from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

t.test("a failed run says which keys to change for files that its programs did not find, each once", async (t) => {
  shop.write(".gitignore", "*.bin\ntool\n");
  shop.write("model.bin", "weights");
  shop.write("tool", "#!/bin/sh\n", 0o755);
  shop.write("conf/settings.py", "");
  shop.write("read.py", "open('model.bin')\n");
  shop.write("import.py", "import settings\n");
  const tasks = [
    { id: "python", script: "read.py" },
    { id: "python-again", script: "read.py" },
    { id: "module", script: "import.py" },
    { id: "shell", command: ["sh", "-c", "cat model.bin"] },
    { id: "program", command: ["./tool"] },
    { id: "unrelated", command: ["sh", "-c", "echo no.such.file: No such file or directory >&2; exit 2"] },
  ];
  shop.write("job.json", { name: "lacking", kind: "tasks", retry: { attempts: 2, backoff: 0.01 }, tasks });
  const ran = await runMuster(["run", "job.json", "-i", "local"], { cwd: shop.folder });
  t.equal(ran.code, 3, ran.err);
  const hints = [
    "`conf/settings.py` is copied to nodes, but Python does not look for modules in `conf`. Add `conf` to `pythonpath`.",
    "`model.bin` is not copied to nodes (ignored by git). Add it to `inputs`.",
    "`tool` is not copied to nodes (ignored by git). Add it to `inputs`.",
  ];
  t.same([...shop.json<{ hints: string[] }>("runs/lacking/summary.json").hints].sort(), hints);
  for (const hint of hints) {
    t.equal(ran.err.split(hint).length, 2, `while it runs, once: ${hint}`);
    t.equal(ran.out.split(hint).length, 2, `in the summary, once: ${hint}`);
  }
  const repaired = { inputs: ["model.bin", "tool"], pythonpath: ["conf"], tasks: tasks.slice(0, -1) };
  shop.write("job.json", { name: "lacking", kind: "tasks", ...repaired });
  const again = await runMuster(["run", "job.json", "-i", "local", "--fresh"], { cwd: shop.folder });
  t.equal(again.code, 0, `the advice is right: ${again.err}`);
});
