import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import t, { type Test } from "tap";
import { connect } from "../../fleet/connect.js";
import type { Connection } from "../../fleet/connection.js";
import { lacking, startLab } from "../lab/lab.js";
import { createNode, toInventoryNode } from "./nodes.js";
import { startRelay } from "./relay/startrelay.js";

const python = "/usr/bin/python3";
const skip = lacking();

/** What both ways to a node promise alike. */
function promises(t: Test, open: () => Promise<Connection>): void {
  let connection: Connection;
  t.before(async () => {
    connection = await open();
  });
  t.teardown(() => connection.close());

  t.test("exit codes, signals and output are reported", async (t) => {
    const exec = (...argv: string[]) => connection.exec(argv, { timeout: 20 });
    t.same(await exec("sh", "-c", "echo out; echo err >&2"), {
      kind: "exit",
      code: 0,
      stdout: "out\n",
      stderr: "err\n",
    });
    t.match(await exec("sh", "-c", "exit 3"), { kind: "exit", code: 3 });
    t.match(await exec("sh", "-c", "kill -KILL $$"), { kind: "signal", signal: "SIGKILL" });
    t.match(await exec("/no/such/program"), { kind: "exit", code: 127, stderr: /\/no\/such\/program/ });
    t.match(await exec("no-such-program"), { kind: "exit", code: 127 });
    t.match(await exec(python, "-c", "import sys; sys.exit(None if not sys.stdin.isatty() else 'tty')"), { code: 0 });
  });

  t.test("arguments arrive byte for byte", async (t) => {
    const args = ["", "a b\n", "$(id) `id` $HOME", "'\"\\", "!!", "-n", "é漢😀", "%s\\n", "\u0001\u007f"];
    const reader = `import sys; print(*map(ascii, sys.argv[1:]), sep="\\n")`;
    const there = await connection.exec([python, "-c", reader, ...args], { timeout: 20 });
    const expected = await connection.exec([python, "-"], {
      timeout: 20,
      stdin: `import json\nfor word in json.loads(r'''${JSON.stringify(args).replaceAll("'", "\\u0027")}'''): print(ascii(word))\n`,
    });
    t.equal(there.stdout, expected.stdout);
    t.equal(there.stdout.split("\n").length, args.length + 1);
    t.match(await connection.exec(["echo", "a\0b"], { timeout: 5 }), { stdout: "" }, "but a NUL cannot");
  });

  t.test("stdin is sent and closed; of the output the first bytes are kept", async (t) => {
    const megabytes = "0123456789abcdef".repeat(3 * 65536);
    const count = await connection.exec(["wc", "-c"], { timeout: 20, stdin: megabytes });
    t.equal(Number(count.stdout), megabytes.length);
    t.match(await connection.exec(["cat"], { timeout: 20 }), { code: 0, stdout: "" });
    t.match(await connection.exec(["true"], { timeout: 20, stdin: megabytes }), { code: 0 }, "nobody need read it");
    const capped = await connection.exec(["cat"], { timeout: 20, stdin: megabytes, cap: 100 });
    t.match(capped, { code: 0, stdout: megabytes.slice(0, 100) });
    t.equal((await connection.exec(["cat"], { timeout: 20, stdin: megabytes })).stdout.length, 1024 * 1024);
  });

  t.test("a command that exceeds its timeout is killed with all its children", async (t) => {
    const begin = performance.now();
    const mark = `0.${Math.floor(Math.random() * 1e9)}`;
    const script = `echo begun; sleep 600${mark} & sleep 600${mark}; wait`;
    const outcome = await connection.exec(["sh", "-c", script], { timeout: 2 });
    t.same(outcome, { kind: "timeout", seconds: 2, stdout: "begun\n", stderr: "" });
    t.ok(performance.now() - begin < 30_000);
    const left = `import glob\nfor f in glob.glob("/proc/[0-9]*/cmdline"):\n  try: print(open(f).read())\n  except OSError: pass`;
    const gone = async () => {
      const { stdout } = await connection.exec([python, "-c", left], { timeout: 20 });
      return !stdout.includes(`600${mark}`);
    };
    for (let tries = 0; tries < 40 && !(await gone()); tries++) await wait(50);
    t.ok(await gone());
  });

  t.test("a channel stays open and carries lines both ways", async (t) => {
    const echo =
      "import sys\nfor line in sys.stdin: print(line[::-1].strip(), flush=True)\nprint('bye', file=sys.stderr)\nsys.exit(5)";
    const channel = await connection.open([python, "-c", echo]);
    const errors = channel.stderr.setEncoding("utf8").toArray();
    const lines = createInterface({ input: channel.stdout })[Symbol.asyncIterator]();
    for (const word of ["abc", "x".repeat(100_000), "é"]) {
      channel.stdin.write(`${word}\n`);
      t.equal((await lines.next()).value, [...word].reverse().join(""));
    }
    channel.stdin.end();
    t.equal((await lines.next()).done, true);
    t.same(await channel.ended, { kind: "exit", code: 5 });
    t.same((await errors).join(""), "bye\n");
  });

  t.test("output that arrives at once is complete, however it is read", async (t) => {
    for (const read of ["data", "iterate", "late"]) {
      const channel = await connection.open(["sh", "-c", "echo first; echo second"]);
      channel.stderr.resume();
      const parts: string[] = [];
      channel.stdout.setEncoding("utf8");
      if (read === "late") await wait(50);
      if (read === "iterate") for await (const part of channel.stdout) parts.push(part);
      else {
        channel.stdout.on("data", (part) => parts.push(part));
        await once(channel.stdout, "end");
      }
      t.equal(parts.join(""), "first\nsecond\n", read);
      t.same(await channel.ended, { kind: "exit", code: 0 });
    }
  });

  t.test("many programs run at once", async (t) => {
    const words = Array.from({ length: 25 }, (_, index) => String(index));
    const outcomes = await Promise.all(words.map((word) => connection.exec(["echo", word], { timeout: 60 })));
    t.same(
      outcomes.map(({ stdout }) => stdout.trim()),
      words,
    );
  });

  t.test("a command starts in the home folder as the leader of a process group", async (t) => {
    const files = await connection.files();
    t.equal((await connection.exec(["pwd"], { timeout: 20 })).stdout.trim(), await files.home());
    const group = "import os; print(os.getpid() == os.getpgid(0))";
    t.equal((await connection.exec([python, "-c", group], { timeout: 20 })).stdout.trim(), "True");
  });
}

t.test("this machine", async (t) => promises(t, () => connect(createNode({ connection: "local" }))));

t.test("through a relay", async (t) => promises(t, async () => (await startRelay()).connection));

t.test("over SSH", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0 });
  t.teardown(() => lab.stop());
  promises(t, () => connect(toInventoryNode(lab.nodes[0]!)));
});

t.test("a program that this machine does not have", async (t) => {
  const connection = await connect(createNode({ connection: "local" }));
  const absent = connection.open(["no-such-program"]);
  await t.rejects(absent, {
    message: "start no-such-program: there is no program no-such-program",
    next: /`python` of the node/,
  });
  await t.rejects(connection.open(["/etc/passwd"]), { message: /: \/etc\/passwd may not be executed/ });
  await connection.close();
});

t.test("after close no operation starts", async (t) => {
  const connection = await connect(createNode({ connection: "local" }));
  const channel = await connection.open(["cat"]);
  channel.stdout.resume();
  channel.stderr.resume();
  await connection.close();
  t.equal(await connection.closed, "closed");
  t.match(await channel.ended, { kind: "lost" });
  await t.rejects(connection.open(["true"]), { code: "LOST" });
  t.match(await connection.exec(["true"], { timeout: 5 }), { kind: "lost" });
});
