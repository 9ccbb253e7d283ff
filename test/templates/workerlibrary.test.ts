import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { attachAgent, decodeInline } from "./agentdriver.js";

t.setTimeout(600_000);

const LIBRARY = join(projectRoot(), "templates/worker");

/** Runs a script that uses the library without muster. */
function runAlone(script: string, args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync("python3", ["-c", `import muster\n${script}`, ...args], {
    encoding: "utf8",
    env: { ...process.env, PYTHONPATH: LIBRARY, ...env },
  });
  return { status, stdout: stdout.trim(), stderr };
}

t.test("a script runs alone, on what the command line says", async (t) => {
  const folder = t.testdir();
  const script = `
import sys
for chunk in muster.chunks():
    blocks = [(seeds.start, seeds.stop) for seeds in chunk.ranges(step=40)]
    chunk.progress(1, 2, "half")
    chunk.write("hits/blocks.json", {"blocks": blocks, "params": chunk.params, "args": chunk.args, "argv": sys.argv[1:]})
    chunk.write("raw", b"\\x00\\x01")
    chunk.write("copy", chunk.out / "raw")
    print(chunk.id, chunk.gpu, chunk.attempt, chunk.deadline, chunk.inputs)`;
  const args = ["--range", "10:100", "--param", "n=7", "--param", "name=a b", "--out", folder, "-x", "1"];
  const { stdout, stderr } = runAlone(script, args);
  t.equal(stdout, "10-100 None 1 None []", stderr);
  t.same(JSON.parse(readFileSync(join(folder, "hits/blocks.json"), "utf8")), {
    blocks: [
      [10, 50],
      [50, 90],
      [90, 100],
    ],
    params: { n: 7, name: "a b" },
    args: ["-x", "1"],
    argv: ["-x", "1"],
  });
  t.same(readFileSync(join(folder, "copy")), Buffer.from([0, 1]));
  t.match(runAlone("next(muster.chunks())", ["--range", "1-2"]).stderr, /--range must be START:END/);
  t.match(runAlone("next(muster.chunks()).ranges()", []).stderr, /this chunk has no range/);
  const failed = runAlone('next(muster.chunks()).fail("bad input")', []);
  t.same([failed.status, failed.stderr], [1, "bad input\n"]);
});

t.test("a range is given away in the first pass over it only, and chunks are taken once", async (t) => {
  const file = join(t.testdir(), "range");
  const script = `
def give_away():
    begun, end = open("${file}").read().split()
    open("${file}", "w").write("%s %d" % (begun, int(begun)))
for chunk in muster.chunks():
    first = []
    for units in chunk.ranges(step=10):
        first.append(units.stop)
        if units.stop == 30: give_away()
    open("${file}", "w").write("30 15")
    print(first, [units.stop for units in chunk.ranges(step=25)], chunk.end)
next(muster.chunks())`;
  const env = { MUSTER_CHUNK: "0-100", MUSTER_START: "0", MUSTER_END: "100", MUSTER_RANGE: file };
  const { stdout, stderr } = runAlone(script, [], env);
  t.equal(stdout, "[10, 20, 30] [25, 30] 30", stderr);
  t.match(stderr, /RuntimeError: muster.chunks\(\) was called before: one loop over it takes all chunks/);
});

t.test("an output is not there when writing it fails", async (t) => {
  const folder = t.testdir();
  const script = `
import os
chunk = next(muster.chunks())
try:
    chunk.write("a.json", object())
except TypeError as error:
    print(error)
print(os.listdir(chunk.out))`;
  t.equal(runAlone(script, ["--out", folder]).stdout, "object cannot be written as JSON\n[]");
});

t.test("memory limits apply to libraries when they are loaded", async (t) => {
  const folder = t.testdir();
  mkdirSync(join(folder, "torch"));
  writeFileSync(
    join(folder, "torch/__init__.py"),
    'from . import cuda\nclass Error(Exception): pass\nprint("torch", cuda.calls)\n',
  );
  writeFileSync(
    join(folder, "torch/cuda.py"),
    "calls = []\ndef set_per_process_memory_fraction(share): calls.append(share)\ndef _lazy_call(call): call()\n",
  );
  writeFileSync(
    join(folder, "cupy.py"),
    "class Pool:\n    def set_limit(self, size): print('cupy', size)\ndef get_default_memory_pool(): return Pool()\n",
  );
  const env = {
    PYTHONPATH: `${LIBRARY}:${folder}`,
    MUSTER_GPU_MEMORY: "6871947673",
    MUSTER_GPU_MEMORY_FRACTION: "0.8",
  };
  const { stdout, stderr } = runAlone("import torch, cupy, sys\nprint(torch.cuda.calls)", [], env);
  t.same(stdout.split("\n"), ["torch []", "cupy 6871947673", "[0.8]"], stderr);
});

t.test("another Python than 3.8 or newer is told so", async (t) => {
  const source = readFileSync(join(LIBRARY, "muster.py"), "utf8");
  const check = 'import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 6)); print("ok")';
  t.equal(execFileSync("python3", ["-c", check], { input: source, encoding: "utf8" }), "ok\n");
  t.notMatch(source, /from __future__/, "Python 3.6 does not know annotations");
  const old = `import sys; sys.version_info = (3, 6, 9); import muster`;
  const { stderr } = spawnSync("python3", ["-c", old], { encoding: "utf8", env: { PYTHONPATH: LIBRARY } });
  t.match(stderr, /ImportError: muster's worker library needs Python 3.8 or newer; this is Python 3.6 \(/);
});

t.test("in a chunk the library knows the chunk, and reports", async (t) => {
  const { folder, attachment } = await attachAgent(t, { progress: 1 });
  const script = `
import muster, os, time
for chunk in muster.chunks():
    for seeds in chunk.ranges(step=10):
        chunk.progress(seeds.stop, 1000, "tastes\\n cakes")
        while not os.path.exists("../../go"): time.sleep(0.02)
    chunk.write("a.json", [chunk.id, chunk.start, chunk.end, chunk.params, chunk.attempt, [str(p) for p in chunk.inputs],
        chunk.gpu, chunk.args, chunk.deadline > time.monotonic(), str(chunk.out) == os.getcwd()])`;
  const sha256 = folder.stage("x");
  attachment.send({
    op: "start",
    id: "a",
    chunk: "0-100",
    slot: 0,
    spec: {
      argv: ["python3", "-c", script],
      env: {},
      files: [["data/in.txt", sha256, 0o644, 1]],
      inputs: 1,
      params: '{"n": 18446744073709551615}',
      outputs: ["a.json"],
      timeout: 60,
      limit: 4096,
    },
    args: ["w"],
    range: ["0", "100"],
    try: 2,
  });
  await attachment.waitFor((one) => one.ev === "progress" && one.attempts.some(({ text }) => text === "tastes cakes"));
  attachment.send({ op: "split", id: "a", share: 0.5 });
  const split = await attachment.waitFor((one) => one.ev === "split");
  t.match(split, { end: "55" });
  writeFileSync(join(folder.root, "go"), "");
  const done = await attachment.waitForDone("a");
  t.equal(done.end, "55");
  const text = decodeInline(done.outputs[0]);
  t.equal(text.trim(), '["0-100", 0, 55, {"n": 18446744073709551615}, 2, ["data/in.txt"], null, ["w"], true, true]');
});

t.test("a program may say that it fails for good", async (t) => {
  const { attachment } = await attachAgent(t);
  const failing = (retry: string) => `
import muster
next(muster.chunks()).fail("no such\\nplanet", retry=${retry})`;
  const runPython = async (id: string, script: string) => {
    attachment.start(id, { argv: ["python3", "-c", script] }, [], 0);
    return await attachment.waitForDone(id);
  };
  t.match(await runPython("a", failing("False")), { exit: 1, error: "no such planet", final: true });
  const again = await runPython("b", failing("True"));
  t.match(again, { exit: 1, error: "no such planet" });
  t.notOk(again.final);
  t.match(await attachment.run("c", 'echo final x > "$MUSTER_FAILURE"'), { exit: 0 }, "it succeeded after all");
});
