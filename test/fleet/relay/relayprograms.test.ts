import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import t from "tap";
import { waitUntil } from "../../lab/waituntil.js";
import { asNobody, relayPid, startRelay } from "./startrelay.js";

const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");
const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

t.test("10 MB of any bytes reach a program and come back", async (t) => {
  const { connection } = await startRelay();
  t.teardown(() => connection.close());
  const data = randomBytes(10_000_000);
  const cat = await connection.open(["cat"]);
  cat.stderr.resume();
  const back = buffer(cat.stdout);
  cat.stdin.end(data);
  t.equal(sha256(await back), sha256(data));
  t.same(await cat.ended, { kind: "exit", code: 0 });
  t.match(await connection.exec(["sha256sum"], { timeout: 60, stdin: data }), { stdout: `${sha256(data)}  -\n` });
});

t.test("a program that does not read its input holds up no other", async (t) => {
  const { connection } = await startRelay();
  t.teardown(() => connection.close());
  const start = async (script: string) => {
    const program = await connection.open(["sh", "-c", `echo $$; ${script}`]);
    program.stderr.resume();
    const [pid] = (await once(program.stdout, "data")) as [Buffer];
    t.teardown(() => process.kill(-Number(pid), "SIGKILL"));
    return program;
  };
  const [deaf, half] = [await start("exec sleep 600"), await start("exec <&-; sleep 600")];
  let isSent = false;
  deaf.stdin.write(Buffer.alloc(8 << 20), () => {
    isSent = true;
  });
  await new Promise<void>((resolve) => half.stdin.write(Buffer.alloc(8 << 20), () => resolve()));
  t.pass("what a program that has closed its input will never read is thrown away");
  const data = randomBytes(3 << 20);
  t.match(await connection.exec(["sha256sum"], { timeout: 20, stdin: data }), { stdout: `${sha256(data)}  -\n` });
  t.notOk(isSent);
  for (const program of [deaf, half]) program.destroy();
});

t.test("output that nobody reads holds up no other program, and nothing of it is lost", async (t) => {
  const { connection } = await startRelay();
  t.teardown(() => connection.close());
  const talker = "import sys\nfor n in range(400000): print(n, file=sys.stdout if n % 2 else sys.stderr)";
  const program = await connection.open(["python3", "-c", talker]);
  await wait(300);
  t.match(await connection.exec(["echo", "hello"], { timeout: 20 }), { stdout: "hello\n" });
  const errors = await Promise.race([buffer(program.stderr), wait(300).then(() => "waits for its stdout to be read")]);
  t.type(errors, "string");
  await buffer(program.stdout).then((bytes) => {
    const lines = bytes.toString().trimEnd().split("\n");
    t.equal(lines.length, 200_000);
    t.ok(
      lines.every((line, index) => Number(line) === 2 * index + 1),
      "in order",
    );
  });
  t.same(await program.ended, { kind: "exit", code: 0 });
});

t.test("200 programs run at once, each with its own output and exit code", async (t) => {
  const { connection } = await startRelay();
  t.teardown(() => connection.close());
  const run = (n: number) =>
    connection.exec(["sh", "-c", `printf %0${1000 + n}d ${n}; echo ${n} >&2; exit ${n % 256}`], { timeout: 60 });
  const results = await Promise.all(Array.from({ length: 200 }, (_, n) => run(n)));
  for (const [n, result] of results.entries()) {
    if (result.kind !== "exit" || result.code !== n % 256) t.fail(JSON.stringify(result));
    if (result.stdout.length !== 1000 + n || result.stderr !== `${n}\n`) t.fail(`output of ${n}`);
  }
  t.equal(results.length, 200);
});

t.test("signals, and programs that cannot start, are told apart", async (t) => {
  const { connection } = await startRelay();
  t.teardown(() => connection.close());
  const run = (script: string) => connection.exec(["sh", "-c", script], { timeout: 20 });
  t.match(await run("kill -SEGV $$"), { kind: "signal", signal: "SIGSEGV" });
  t.match(await run("kill -40 $$"), { kind: "signal", signal: /40/ });
  t.match(await run("exit 255"), { kind: "exit", code: 255 });
  const folder = t.testdir({ plain: "no program" });
  await t.rejects(connection.open(["/no/such/program"]), {
    code: "MISSING",
    message: /cannot start \/no\/such\/program: No such file/,
  });
  await t.rejects(connection.open([join(folder, "plain")]), { code: "DENIED" });
  await t.rejects(connection.open(["echo", "a\0b"]), { code: "SHELL", message: /NUL/ });
  await t.rejects(connection.open(["echo", "x".repeat(200_000)]), { code: "SHELL", message: /too long/ });
  await t.rejects(connection.open(["echo", "x".repeat(2_000_000)]), { code: "SHELL", next: /inputs/ });
});

t.test("an aborted or late program is killed with its process group, and with it what it left", async (t) => {
  const { connection } = await startRelay();
  t.teardown(() => connection.close());
  const folder = t.testdir();
  const spawned = async (name: string, script: string, options: { timeout: number; signal?: AbortSignal }) => {
    const pids = join(folder, name);
    const result = await connection.exec(["sh", "-c", `sleep 600 & echo $$ $! >$0; ${script}`, pids], options);
    const [leader, child] = readFileSync(pids, "utf8").split(" ").map(Number);
    await waitUntil("both have ended", () => !isAlive(leader!) && !isAlive(child!), 20);
    return result;
  };
  t.same(await spawned("late", "wait", { timeout: 2 }), { kind: "timeout", seconds: 2, stdout: "", stderr: "" });
  t.match(await spawned("exited", "exit 3", { timeout: 2 }), { kind: "timeout" }, "its child holds its output");
  const controller = new AbortController();
  const aborted = spawned("aborted", ": >$0.begun; wait", { timeout: 60, signal: controller.signal });
  await waitUntil("it has begun", () => existsSync(join(folder, "aborted.begun")));
  controller.abort();
  t.match(await aborted, { kind: "signal", signal: "SIGKILL" });
});

t.test("a program has no descriptor but its own three, and ends its zombies", async (t) => {
  const { connection } = await startRelay();
  t.teardown(() => connection.close());
  const other = await connection.open(["cat"]);
  const list =
    "import os\nfor n in range(300):\n  try: print(n, os.readlink('/proc/self/fd/%d' % n))\n  except OSError: pass";
  const { stdout } = await connection.exec(["python3", "-c", list], { timeout: 20 });
  const lines = stdout.trim().split("\n");
  t.equal(lines.length, 3, stdout);
  for (const line of lines) t.match(line, /^[012] pipe:/);
  other.destroy();
  t.match(await other.ended, { kind: "lost", reason: /closed/ });
  const relay = await relayPid(connection);
  const children = () => readFileSync(`/proc/${relay}/task/${relay}/children`, "utf8").trim();
  await waitUntil("cat has ended and was waited for", () => children() === "", 20);
});

t.test("closing ends the relay, but no program that does without its streams", async (t) => {
  const released: string[] = [];
  const { connection, channel } = await startRelay({
    hostKey: "ssh-ed25519 SHA256:x",
    release: async () => void released.push("released"),
  });
  t.equal(connection.hostKey, "ssh-ed25519 SHA256:x");
  const program = await connection.open(["sh", "-c", "echo $$; exec >/dev/null 2>&1 sleep 600"]);
  const [pid] = (await once(program.stdout, "data")) as [Buffer];
  await Promise.all([connection.close(), connection.close()]);
  t.same(released, ["released"]);
  t.same(await channel.ended, { kind: "exit", code: 0 });
  t.equal(await connection.closed, "closed");
  t.match(await program.ended, { kind: "lost", reason: "closed" });
  t.ok(isAlive(Number(pid)));
  process.kill(Number(pid), "SIGKILL");
  await t.rejects(connection.open(["true"]), { code: "LOST" });
});

t.test("the relay says where it runs, and a missing home is no obstacle", async (t) => {
  const variables = ["SLURM_JOB_ID=17", "CUDA_VISIBLE_DEVICES=0,1", "SECRET=x", "HOME=/no/such/home"];
  const { connection } = await startRelay({}, ["env", "-u", "TMPDIR", ...variables, ...asNobody()]);
  t.teardown(() => connection.close());
  t.same(connection.environment, { SLURM_JOB_ID: "17", CUDA_VISIBLE_DEVICES: "0,1" });
  t.equal(connection.hostname, readFileSync("/proc/sys/kernel/hostname", "utf8").trim());
  t.match(await connection.exec(["pwd"], { timeout: 20 }), { code: 0, stdout: "/\n" });
});

t.test("noise before the relay is skipped", async (t) => {
  const script = 'printf "%s\\nLoading modules..." "$(seq 9000)"; exec "$0" "$@"';
  const { connection } = await startRelay({}, ["sh", "-c", script, "python3"]);
  t.teardown(() => connection.close());
  t.match(await connection.exec(["echo", "hello"], { timeout: 20 }), { stdout: "hello\n" });
});
