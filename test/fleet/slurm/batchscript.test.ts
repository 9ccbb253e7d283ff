import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { createBatchScript, explainExit } from "../../../fleet/slurm/batchscript.js";
import { agentProgram, type NodeProgram } from "../../../templates/nodeprograms.js";
import { createCluster } from "./clusters.js";

/** Takes the place of Python: records its arguments, and its stdin. */
const FAKE_PYTHON = `#!/usr/bin/python3
import json, sys
stdin = sys.stdin.buffer.read()
json.dump({"words": sys.argv[1:], "stdin": stdin.decode()}, open(CALLS, "w"))
`;

/** What a login shell reads: it defines `module`, of which `broken` cannot be loaded. */
const PROFILE = `export PATH="$HOME/bin:$PATH"
module() {
  echo "$*" >> "$HOME/modules"
  [ "$2" != broken ] || { printf 'Lmod error: unknown: "%s"\n\nTry module spider.\n' "$2" >&2; false; }
}
`;

/** Takes the place of scontrol: records its arguments. */
const FAKE_SCONTROL = `#!/bin/sh
for word; do echo "$word"; done > "$HOME/scontrol"
`;

const SMALL_AGENT: NodeProgram = { args: [], stdin: Buffer.from("print('agent')") };

/** Runs a batch script as Slurm does: as a program, in `/`, without a terminal. */
function runScript(t: Test, keys: string, agent: NodeProgram = SMALL_AGENT) {
  const home = t.testdir({ ".bash_profile": PROFILE, bin: {} });
  const calls = join(home, "calls.json");
  const python = join(home, "bin/fakepython");
  writeFileSync(python, FAKE_PYTHON.replace("CALLS", JSON.stringify(calls)), { mode: 0o755 });
  writeFileSync(join(home, "bin/scontrol"), FAKE_SCONTROL, { mode: 0o755 });
  const cluster = createCluster(keys);
  const script = join(home, "script");
  writeFileSync(script, createBatchScript(cluster, "r1", agent, 30));
  chmodSync(script, 0o755);
  const env = { HOME: home, PATH: `${join(home, "bin")}:/usr/bin:/bin`, SLURM_JOB_ID: "77", ENV: "", BASH_ENV: "" };
  const { status, stderr } = spawnSync("/bin/bash", ["-l", script], {
    cwd: "/",
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const read = (name: string) => {
    try {
      return readFileSync(join(home, name), "utf8");
    } catch {
      return undefined;
    }
  };
  const call = read("calls.json");
  return { home, status, stderr: `${stderr}`, cluster, modules: read("modules"), call: call && JSON.parse(call), read };
}

t.test("the script becomes the agent, with its program on stdin", async (t) => {
  const { status, stderr, call } = runScript(t, "python: fakepython");
  t.strictSame([status, stderr], [0, ""]);
  t.strictSame(
    [call.words.slice(0, 2), call.words.slice(3)],
    [
      ["-IS", "-c"],
      ["serve", "/tmp/muster-77/runs/r1@hpc-77", "/tmp/muster-77", "3600", "120", "30"],
    ],
  );
  const printed = execFileSync(
    "python3",
    ["-IS", "-c", "import base64,sys;print(base64.b64decode(sys.stdin.read()).decode())"],
    {
      input: call.stdin,
    },
  );
  t.equal(`${printed}`, "print('agent')\n");
});

t.test("a program of any length and content arrives", async (t) => {
  const stdin = agentProgram().stdin;
  t.ok(stdin.length > 50_000, "more than a pipe holds at once");
  const { call } = runScript(t, "python: fakepython", { args: [], stdin });
  t.ok(Buffer.from(call.stdin, "base64").equals(stdin));
});

t.test("folders", async (t) => {
  const table: [workdir: string, root: (home: string) => string, own: (home: string) => string][] = [
    ["/scratch/%j/m", () => "/scratch/77/m/runs/r1@hpc-77", () => "/scratch/77/m"],
    ["/s/%j/%j", () => "/s/77/77/runs/r1@hpc-77", () => "/s/77/77"],
    ["~/.muster", (home) => `${home}/.muster/runs/r1@hpc-77`, () => ""],
    ["~/m-%j", (home) => `${home}/m-77/runs/r1@hpc-77`, (home) => `${home}/m-77`],
    ["/data/a b'$x", () => "/data/a b'$x/runs/r1@hpc-77", () => ""],
  ];
  for (const [workdir, root, own] of table) {
    const { call, home } = runScript(t, `python: fakepython, workdir: ${JSON.stringify(workdir)}`);
    t.strictSame(call.words.slice(4, 6), [root(home), own(home)], workdir);
  }
});

t.test("modules and setup come first, and what they export stays", async (t) => {
  const setup = `setup: ["export PATH=$HOME/late:$PATH", 'true', "cd $HOME"]`;
  const keys = `python: latepython, modules: [cuda/12.4, gcc], ${setup}`;
  t.equal(runScript(t, keys).status, 82, "without it there is no such Python");
  const home = t.testdirName;
  const { status } = runScript(
    t,
    `${keys.replace("'true'", '"mkdir $HOME/late; cp $HOME/bin/fakepython $HOME/late/latepython"')}`,
  );
  t.equal(status, 0);
  t.equal(readFileSync(join(home, "modules"), "utf8"), "load cuda/12.4\nload gcc\n");
});

t.test("what fails is told by the exit code", async (t) => {
  const table: [keys: string, status: number, words: string | RegExp][] = [
    ["modules: [cuda, broken, gcc]", 201, 'the module broken cannot be loaded there (Lmod error: unknown: "broken")'],
    ["python: nopython", 82, "there is no nopython on the compute node"],
    ["setup: ['false']", 100, "setup failed there: false"],
    [
      "setup: ['true', 'exit_here() { echo first; echo second; return 3; }', 'exit_here']",
      102,
      "setup failed there: exit_here (second)",
    ],
    [
      "setup: ['nosuchcommand', 'true']",
      100,
      /^setup failed there: nosuchcommand \(.*nosuchcommand: command not found\)$/,
    ],
  ];
  for (const [keys, expected, words] of table) {
    const { status, cluster, call, read } = runScript(
      t,
      keys.includes("python") ? keys : `python: fakepython, ${keys}`,
    );
    t.equal(status, expected, keys);
    t.equal(call, undefined, "no agent");
    const [, job, comment] = /^update\nJobId=(\d+)\nComment=(\S+)\n$/.exec(read("scontrol") ?? "") ?? [];
    t.equal(job, keys.includes("python") ? undefined : "77");
    t.match(explainExit(cluster, status!, "7", comment), words);
  }
});

t.test("a process that setup leaves behind delays nothing for long, and long output is cut", async (t) => {
  const begin = Date.now();
  const keys = `python: fakepython, setup: ["(sleep 20; echo) &", "yes | head -c 1000000"]`;
  const { status, call } = runScript(t, keys);
  t.strictSame([status, call.words[0]], [0, "-IS"]);
  t.equal(runScript(t, keys.replace("1000000", "1000000; false")).status, 101);
  t.ok(Date.now() - begin < 15_000);
  const { read, cluster } = runScript(t, `python: fakepython, setup: ["yes | head -c 1000000; false"]`);
  const comment = /Comment=(\S+)/.exec(read("scontrol")!)![1]!;
  t.ok(comment.length < 1300);
  t.equal(explainExit(cluster, 100, "7", comment), "setup failed there: yes | head -c 1000000; false (y)");
});

t.test("other exit codes", async (t) => {
  const cluster = createCluster("setup: [a, b], workdir: /w/%j");
  t.equal(explainExit(cluster, 102, "7"), "a line of setup exited 102 there", "there is no such line");
  t.equal(explainExit(createCluster(), 9, "7"), undefined);
  for (const code of [73, 77])
    t.equal(explainExit(cluster, code, "7"), "the agent could not use its folder /w/7 there");
});
