import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { attachAgent, decodeInline, findProcesses } from "./agentdriver.js";

t.setTimeout(600_000);

const TTY = { tty: true } as const;

/** How many terminals a process has open. */
function countTerminals(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return /^\/dev\/(ptmx|pts\/)/.test(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

t.test("stdin, stdout and stderr are a terminal of 80x24, which controls the program", async (t) => {
  const { attachment, hello } = await attachAgent(t, { env: { TERM: "" } });
  const look =
    "import os, sys; print(sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty(), *os.get_terminal_size())";
  const script = `tty && stty size && python3 -c '${look}' && echo err >&2 && test "$(ps -o tty= -p $$)" != "?" && echo controlled >/dev/tty`;
  const done = await attachment.run("look", script, TTY);
  t.equal(done.exit, 0);
  const lines = decodeInline(done.stdout).split("\n");
  t.match(lines[0], /^\/dev\/pts\/\d+$/);
  t.same(lines.slice(1), ["24 80", "True True True 80 24", "err", "controlled", ""]);
  t.equal(done.stderr.size, 0);
  t.match(done.tail, /\nerr\ncontrolled\n$/, "a failure message has what the program printed last");
  t.equal(countTerminals(hello.pid), 0, "the terminal is closed");
  const without = await attachment.run("without", "tty; readlink /proc/$$/fd/0");
  t.equal(decodeInline(without.stdout), "not a tty\n/dev/null\n");
});

t.test("TERM is xterm where the environment has none", async (t) => {
  const { attachment } = await attachAgent(t, { env: { TERM: "linux" } });
  t.equal(decodeInline((await attachment.run("node", 'echo "$TERM"', TTY)).stdout), "linux\n");
  const { attachment: bare } = await attachAgent(t, {}, { TERM: undefined });
  t.equal(decodeInline((await bare.run("none", 'echo "$TERM"', TTY)).stdout), "xterm\n");
  t.equal(decodeInline((await bare.run("own", 'echo "$TERM"', { ...TTY, env: { TERM: "vt100" } })).stdout), "vt100\n");
});

t.test("reading stdin ends at once", async (t) => {
  const { attachment } = await attachAgent(t);
  const script = "cat; python3 -c 'input()' 2>&1 | tail -n 1; read line || echo no line";
  t.equal(
    decodeInline((await attachment.run("read", script, TTY)).stdout),
    "EOFError: EOF when reading a line\nno line\n",
  );
});

t.test("5 MB arrive whole, while other attempts continue; the log limit holds", async (t) => {
  const slots = [0, 1].map((slot) => ({ slot, env: {} }));
  const { attachment, folder } = await attachAgent(t, { slots, log: 8 << 20 });
  attachment.start("large", TTY, ["seq 1 700000"]);
  t.equal((await attachment.run("beside", "true", {}, 1)).exit, 0);
  const done = await attachment.waitForDone("large");
  const expected = Array.from({ length: 700_000 }, (_, index) => `${index + 1}\n`).join("");
  t.equal(done.stdout.size, expected.length);
  t.ok(readFileSync(join(folder.root, "a/large/out"), "latin1") === expected, "byte for byte");
  attachment.send({ op: "ack", ids: ["large"] });

  const { attachment: limited, folder: small } = await attachAgent(t, { log: 1 << 20 });
  const cut = await limited.run("cut", "seq 1 700000; echo end", TTY);
  t.ok(cut.stdout.size <= 1 << 20 && (cut.stdout.cut ?? 0) > 3 << 20, JSON.stringify(cut.stdout));
  t.ok(statSync(join(small.root, "a/cut/out")).size <= 1 << 20);
  t.match(cut.tail, /\n700000\nend\n$/);
});

t.test("a process that keeps the terminal open ends with its attempt", async (t) => {
  const { attachment, folder, hello } = await attachAgent(t);
  const script = "seq 2000; (trap '' HUP; exec setsid sh -c 'while :; do sleep 1; done') & echo last";
  for (const id of ["first", "second"]) {
    const done = await attachment.run(id, script, TTY);
    t.match(done.tail, /\n2000\nlast\n$/, "what was printed before is kept");
    t.equal(done.exit, 0);
  }
  t.same(findProcesses(`MUSTER_ROOT=${folder.root}`), []);
  t.equal(countTerminals(hello.pid), 0);
});

t.test("timeout and cancel, also of a program that ignores SIGHUP and floods its terminal", async (t) => {
  const { attachment, folder, hello } = await attachAgent(t);
  t.match(await attachment.run("late", "echo begun; sleep 1000", { ...TTY, timeout: 2 }), {
    timeout: true,
    signal: 15,
    tail: "begun\n",
  });
  attachment.start("stopped", TTY, ["trap '' HUP; echo > ../../up; yes"]);
  await waitUntil("it runs", () => existsSync(join(folder.root, "up")));
  attachment.send({ op: "cancel", ids: ["stopped"] });
  t.match(await attachment.waitForDone("stopped"), { cancelled: true, signal: 15 });
  t.equal(countTerminals(hello.pid), 0);
});

t.test("a program that cannot be started leaves no terminal open", async (t) => {
  const { attachment, hello } = await attachAgent(t);
  attachment.start("none", { argv: ["./none"], ...TTY });
  t.match((await attachment.waitForDone("none")).error, /\.\/none could not be started/);
  t.equal(countTerminals(hello.pid), 0);
});
