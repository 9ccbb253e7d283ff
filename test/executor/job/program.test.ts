import { chmodSync, copyFileSync } from "node:fs";
import t from "tap";
import { detectProgram, parseInterpreter } from "../../../executor/job/program.js";

t.test("the local file decides how a script starts", async (t) => {
  const table: [name: string, content: string, mode: number, wanted: string[] | string][] = [
    ["a.py", "print(1)\n", 0o644, ["{python}"]],
    ["b.py", "#!/usr/bin/env python3\n", 0o644, ["{python}"]],
    ["c.py", "#!/usr/bin/env python3\n", 0o755, ["/usr/bin/env", "python3"]],
    ["d.py", "print(1)\n", 0o755, ["{python}"]],
    ["e", "#!/bin/sh\n", 0o755, ["/bin/sh"]],
    ["f", "#!  /bin/sh  -e -u \nx", 0o755, ["/bin/sh", "-e -u"]],
    ["g", "#!/bin/sh\n", 0o644, "is neither executable nor *.py, so it cannot be started"],
    ["h", "echo\n", 0o755, "is executable, but it has no #! line and is no ELF program"],
    ["i", "#!\n", 0o755, "has a #! line that names no interpreter"],
    ["j", "#!/bin/sh\r\n", 0o755, "has a first line that ends in a carriage return"],
  ];
  const folder = t.testdir(Object.fromEntries(table.map(([name, content]) => [name, content])));
  for (const [name, , mode, wanted] of table) {
    chmodSync(`${folder}/${name}`, mode);
    const start = detectProgram({ source: `${folder}/${name}`, path: name });
    const got = start.ok ? start.program.kind === "script" && start.program.prefix : start.message;
    t.same(got, wanted, name);
  }
});

t.test("a binary runs as it is", async (t) => {
  const folder = t.testdir({});
  copyFileSync("/bin/true", `${folder}/true`);
  t.match(detectProgram({ source: `${folder}/true`, path: "true" }), { program: { prefix: [] } });
});

t.test("a #! line is split as the kernel splits it", async (t) => {
  t.same(parseInterpreter("#!/usr/bin/env -S a b"), ["/usr/bin/env", "-S a b"]);
  t.same(parseInterpreter("#!\t/bin/sh\t"), ["/bin/sh"]);
});
