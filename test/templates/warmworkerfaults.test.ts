import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { findProcesses } from "./agentdriver.js";
import { attachWarm, WRITE_PID, worker } from "./warmdriver.js";

t.setTimeout(600_000);

/** A worker that speaks the protocol itself; `body` computes a chunk whose folder is `folder`, and `after` follows `done`. */
function plainWorker(body: string, after = "") {
  const script = `
import json, os, time
os.write(4, b"ready\\n")
count = 0
while True:
    line = os.read(3, 4096)
    if not line: break
    folder, count = line.split()[1].decode(), count + 1
    chunk = json.load(open(folder + "/chunk.json"))
    os.chdir(chunk["cwd"])
    word = (chunk["args"] or [""])[0]
    for name, fd in (("out", 1), ("err", 2)):
        log = os.open(folder + "/" + name, os.O_WRONLY | os.O_APPEND)
        os.dup2(log, fd)
        os.close(log)
${body.replaceAll(/^/gm, "    ")}
    with open("out", "w") as file: file.write(str(os.getpid()))
    os.write(4, b"done " + folder.encode() + b"\\n")
${after.replaceAll(/^/gm, "    ")}
`;
  return { argv: ["python3", "-c", script], outputs: ["out"], warm: {}, timeout: 30 };
}

const isAlive = (pid: string) => findProcesses("MUSTER_WORKER=").includes(Number(pid));

t.test("a flood of answers fails its chunk, and holds up nothing else", async (t) => {
  const { run } = await attachWarm(t);
  const flood = `
if word:
    for _ in range(3): os.fork()
    while True: os.write(4, b"x" * 60000 if word == "flood" else b"hello\\n" * 10000)
`;
  const spec = plainWorker(flood);
  await run("a", spec);
  for (const kind of ["flood", "lines"]) {
    const { done } = await run(kind, spec, [kind]);
    t.match(done, {
      error: /^its worker wrote '(x+|hello)' to descriptor 4, where muster expects only/,
      timeout: false,
    });
  }
  t.match((await run("d", spec)).done, { exit: 0 });
});

t.test("a flood of output is cut in the log of its chunk, and the worker goes on", async (t) => {
  const { run } = await attachWarm(t, { log: 20_000 });
  const spec = worker(`
if word:
    for _ in range(400): sys.stderr.write("x" * 9999 + "\\n"); sys.stdout.write("y" * 9999 + "\\n")
print("end")
${WRITE_PID}`);
  const first = await run("a", spec);
  const flooded = await run("b", spec, ["flood"]);
  t.match(flooded.done, { exit: 0, missing: [] });
  for (const name of ["stdout", "stderr"] as const) {
    t.ok(flooded.done[name].size <= 20_000, `${name}: ${flooded.done[name].size}`);
    t.ok(flooded.done[name].cut! > 3_900_000);
  }
  const next = await run("c", spec);
  t.same([flooded.output, next.output], [first.output, first.output], "one process");
  t.same([next.stdout, next.stderr], ["end\n", ""]);
});

t.test("what is printed between chunks is in no log, and cannot fill the disk", async (t) => {
  const { run, attachment } = await attachWarm(t, { log: 20_000 });
  const library = worker(`
if word:
    def chatter():
        while True: print("z" * 9999, flush=True)
    threading.Thread(target=chatter, daemon=True).start()
${WRITE_PID}`);
  const first = await run("a", library, ["chatter"]);
  await waitUntil("its stdout is /dev/null", () => statSync(`/proc/${first.output.trim()}/fd/1`).isCharacterDevice());
  t.equal((await run("b", library)).output, first.output, "it is the chunk's while one runs");
  const plain = plainWorker("", 'while word: os.write(1, b"z" * 10000); time.sleep(0.001)');
  const second = await run("c", plain, ["flood"]);
  const problem = await attachment.waitFor((one) => one.ev === "problem");
  t.match(problem, {
    message: "slot 0: its worker prints without having a chunk, more than a log may have; it is started again",
  });
  await waitUntil("it is gone", () => !isAlive(second.output));
  t.match((await run("d", plain)).done, { exit: 0 });
});

t.test("an output that is still open for writing fails its chunk", async (t) => {
  const { run } = await attachWarm(t);
  const spec = worker(`
if word: file = open("out", "w"); file.write("lost in a buffer")
else: ${WRITE_PID}`);
  const first = await run("a", spec);
  const { done } = await run("b", spec, ["open"]);
  t.match(done, { error: "its worker said that it was done, and still has out open for writing: close it before" });
  t.not((await run("c", spec)).output, first.output, "its worker is replaced");
  const found = { base: ".", pattern: "[^/]*\\.part", written: "*.part", atLeast: 1 };
  const globbed = { ...spec, outputs: [], found: [found], fileLimit: 10 };
  const part = worker('part = open("1.part", "w"); part.write("x"); other = open("note", "w")');
  const open = await run("d", { ...globbed, argv: part.argv });
  t.match(open.done, { error: /^its worker said that it was done, and still has 1.part open/ });
  const closed = worker('open("1.part", "w").close(); other = open("note", "w")');
  t.match((await run("e", { ...globbed, argv: closed.argv })).done, { exit: 0, missing: [] });
});

t.test("a worker that closes a descriptor holds up no chunk", async (t) => {
  const { run } = await attachWarm(t);
  const spec = plainWorker(
    'if word == "answers": os.close(4); time.sleep(60)',
    'if word == "chunks": os.close(3); time.sleep(60)',
  );
  const first = await run("a", spec);
  const mute = await run("b", spec, ["answers"]);
  t.match(mute.done, {
    error: "its worker closed descriptor 4, so it cannot say that its chunk is done",
    timeout: false,
  });
  const deaf = await run("c", spec, ["chunks"]);
  t.match(deaf.done, { exit: 0 });
  t.match(
    (await run("d", spec)).done,
    { cancelled: true, timeout: false },
    "it did not get the chunk, which runs again",
  );
  const last = await run("e", spec);
  t.match(last.done, { exit: 0 });
  t.notOk([first, deaf].some(({ output }) => output === last.output));
});

t.test("a worker that dies while it is idle is replaced", async (t) => {
  const { run } = await attachWarm(t);
  const spec = worker(WRITE_PID);
  const first = await run("a", spec);
  process.kill(Number(first.output), "SIGKILL");
  await waitUntil("it is gone", () => !isAlive(first.output));
  const second = await run("b", spec);
  t.match(second.done, { exit: 0, cancelled: false });
  t.not(second.output, first.output);
});

t.test("the next chunk finds a clean folder, whatever an idle worker writes there", async (t) => {
  const { run, attachment, folder } = await attachWarm(t);
  const spec = worker(`
assert os.listdir(".") == [], os.listdir(".")
if word:
    path = os.getcwd() + "/late"
    def write():
        while not os.path.exists(os.environ["MUSTER_ROOT"] + "/go"): time.sleep(0.01)
        open(path, "w").write("x")
    threading.Thread(target=write, daemon=True).start()
${WRITE_PID}`);
  const first = await run("a", spec, ["late"]);
  t.equal((await run("b", spec)).output, first.output);
  writeFileSync(join(folder.root, "go"), "");
  await waitUntil("it has written", () => existsSync(join(folder.root, "w/0/late")));
  const next = await run("c", spec);
  t.match(next.done, { exit: 0 }, next.stderr);
  t.not(next.output, first.output);
  t.match(await attachment.waitFor((one) => one.ev === "problem"), {
    message:
      "slot 0: its worker wrote late into the folder of an earlier chunk, which the next one gets; it is started again",
  });
});

t.test("a new worker finds a clean folder, whatever the one before wrote while it ended", async (t) => {
  const { attachment } = await attachWarm(t);
  const spec = worker(
    `
assert os.listdir(".") == [], os.listdir(".")
home = os.environ["MUSTER_ROOT"] + "/w/0"
if word: import atexit; atexit.register(lambda: open(home + "/late", "w").close())
${WRITE_PID}`,
    { warm: { chunks: 2 } },
  );
  attachment.send({ op: "spec", id: "s", spec: { env: {}, files: [], limit: 2 ** 32, ...spec } });
  for (const [id, args] of [
    ["a", ["late"]],
    ["b", []],
    ["c", []],
  ] as const) {
    attachment.send({ op: "start", id, chunk: id, slot: 0, spec: "s", args: [...args] });
    t.match(await attachment.waitForDone(id), { exit: 0 });
  }
});

t.test("compiled functions beside a module are no late write", async (t) => {
  const { run } = await attachWarm(t);
  const spec = worker(`
cache = os.environ["MUSTER_ROOT"] + "/w/0/__pycache__"
os.makedirs(cache, exist_ok=True); open(cache + "/f%s.1.nbc" % word, "w").close()
${WRITE_PID}`);
  const first = await run("a", spec, ["1"]);
  const second = await run("b", spec, ["2"]);
  t.match(second.done, { exit: 0, error: undefined });
  t.equal((await run("c", spec, ["3"])).output, first.output);
});

t.test("a forked process takes no chunk, and a second loop computes none again", async (t) => {
  const { run, folder } = await attachWarm(t);
  const forking = worker(`
if word:
    child = os.fork()
    if child == 0: continue
    print(os.waitpid(child, 0)[1] >> 8)
${WRITE_PID}`);
  const forked = await run("a", forking, ["fork"]);
  t.match(forked.done, { exit: 0 });
  t.equal(forked.stdout, "1\n");
  t.match(forked.stderr, /RuntimeError: a process that was forked from a worker asks for a chunk/);
  t.equal((await run("b", forking)).output, forked.output);
  const looping = worker(WRITE_PID, { warm: { chunks: 1 } });
  const again = `${looping.argv[2]}\nfor chunk in muster.chunks(): open(os.environ["MUSTER_ROOT"] + "/again", "w").close()`;
  const spec = { ...looping, argv: ["python3", "-c", again] };
  const first = await run("c", spec);
  t.not((await run("d", spec)).output, first.output);
  t.notOk(existsSync(join(folder.root, "again")));
});

t.test("a worker that hangs while it loads is ended by the timeout of its first chunk", async (t) => {
  const { run } = await attachWarm(t);
  const spec = worker(WRITE_PID, { loading: 'print("loading", flush=True)\nif len(sys.argv) > 1: time.sleep(60)' });
  const hung = await run("a", { ...spec, timeout: 5, grace: 1 }, ["hang"]);
  t.match(hung.done, { timeout: true });
  t.equal(hung.stdout, "loading\n");
  t.match((await run("b", { ...spec, timeout: 30 })).done, { exit: 0, timeout: false });
});

t.test("a program that a shell's worker starts computes its chunk with the library", async (t) => {
  const { run } = await attachWarm(t);
  const script = `
echo ready >&4
while read -r word folder <&3; do
  . "$folder/chunk.sh"
  python3 -c "$PROGRAM" 3<&- 4>&- || exit 1
  echo "done $folder" >&4
done`;
  const program =
    'import muster, os\nfor chunk in muster.chunks(): chunk.write("out", ("%s %d" % (chunk.id, os.getppid())).encode())';
  const spec = { argv: ["sh", "-c", script], outputs: ["out"], warm: {}, env: { PROGRAM: program } };
  const first = await run("a", spec);
  t.match(first.output, /^chunk-a \d+$/, first.stderr);
  t.equal((await run("b", spec)).output, first.output.replace("-a", "-b"));
});

t.test("each chunk of a warm worker has a state of its own, also after a crash", async (t) => {
  const { run, attachment, folder } = await attachWarm(t);
  const spec = {
    ...worker(`
current = chunk.state / "current"
assert not current.exists() or word == "resume", os.listdir(chunk.state)
if word == "resume": print((chunk.state / current.read_text() / "w").read_text())
if word == "crash":
    (chunk.state / "one").mkdir(); (chunk.state / "one" / "w").write_text("half of " + chunk.id)
    (chunk.state / "new").write_text("one"); (chunk.state / "new").rename(current)
    os._exit(3)
if word == "save": (chunk.state / "x").mkdir(); (chunk.state / "new").write_text("x"); (chunk.state / "new").rename(current)
${WRITE_PID}`),
    state: { every: 60, limit: 10_000 },
  };
  const first = await run("a", spec, ["save"]);
  const second = await run("b", spec);
  t.match([first.done, second.done], [{ exit: 0 }, { exit: 0 }], second.stderr);
  t.equal(second.output, first.output, "one process, and no state of the chunk before");
  attachment.start("c", spec, ["crash"]);
  const crashed = await attachment.waitForDone("c");
  t.match(crashed, { exit: 3, state: { name: "one", files: [{ path: "w" }] } });
  const [{ path, size, sha256 }] = crashed.state!.files as [{ path: string; size: number; sha256: string }];
  folder.stage("half of chunk-c");
  attachment.start("d", spec, ["resume"], 0, { name: "one", files: [{ path, size, sha256 }] });
  const resumed = await attachment.waitForDone("d");
  t.match(resumed, { exit: 0, missing: [] });
  t.equal(Buffer.from(resumed.stdout.data!, "base64").toString(), "half of chunk-c\n");
  attachment.send({ op: "ack", ids: ["c", "d"] });
  await run("e", spec);
  await waitUntil("all folders are removed", () => folder.listAttempts().length === 0);
});
