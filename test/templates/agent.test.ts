import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { Done } from "../../executor/run/protocol.js";
import { Attachment, decode, Folder, processesWith, until } from "./driver.js";

t.setTimeout(120_000);

/** A folder and an opened attachment that are gone after the test, whatever happens in it. */
async function agent(test: Test, settings: Parameters<Attachment["open"]>[0] = {}) {
  const folder = new Folder();
  const attachment = new Attachment(folder);
  test.teardown(() => end(folder));
  const hello = await attachment.open(settings);
  return { folder, attachment, hello };
}

/** Stops whatever agent still serves the folder and removes it. */
async function end(folder: Folder): Promise<void> {
  if (existsSync(join(folder.root, "agent.sock"))) await new Attachment(folder).stop();
  folder.remove();
}

t.test("says hello with what identifies the process, and leaves nothing behind at a stop", async (t) => {
  const { folder, attachment, hello } = await agent(t);
  t.equal(hello.muster, 1);
  t.equal(hello.root, folder.root);
  t.equal(hello.boot, readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  const fields = readFileSync(`/proc/${hello.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  t.equal(hello.started, Number(fields[19]));
  t.same(hello.held, []);
  attachment.start("a1", {}, ["sleep 1000 & setsid sleep 1000 & sleep 1000"]);
  await attachment.next((one) => one.ev === "started");
  await until("three sleeps run", () => processesWith(`MUSTER_ROOT=${folder.root}`).length >= 4);
  await attachment.stop();
  t.same(processesWith(folder.root), [], "no process is left");
  t.notOk(existsSync(join(folder.root, "..")), "neither the folder nor the empty ones above it are left");
});

t.test("passes arguments byte for byte, and the environment in the order of spec, then slot", async (t) => {
  const { attachment } = await agent(t, {
    env: { A: "node", B: "node", C: "node" },
    slots: [{ slot: 3, env: { C: "slot", GPU: "7" } }],
  });
  const hostile = [
    "",
    " ",
    "a b",
    "'",
    '"',
    "$(id)",
    "`id`",
    "\\",
    "%s",
    "new\nline",
    "é漢🎲",
    "*",
    "~",
    "-n",
    "{out}",
    "\t",
    "\u0001",
  ];
  attachment.start("args", { argv: ["python3", "-c", "import sys,json;print(json.dumps(sys.argv[1:]))"] }, hostile, 3);
  t.same(JSON.parse(decode((await attachment.done("args")).stdout)), hostile);
  const env = await attachment.run(
    "env",
    'echo "$A $B $C $GPU $MUSTER_CHUNK $MUSTER_ATTEMPT $MUSTER_SLOT"',
    { env: { B: "spec", C: "spec" } },
    3,
  );
  t.equal(decode(env.stdout), "node spec slot 7 chunk-env env 3\n");
  t.equal(env.slot, 3);
  const nul = await attachment.run("nul", "true", { env: { X: "a\0b" } }, 3);
  t.match(nul.error, /could not be started.*null byte/);
});

t.test("tells how programs end", async (t) => {
  const { attachment, folder } = await agent(t);
  const table: [string, string, Partial<Done>][] = [
    ["zero", "exit 0", { exit: 0, signal: null }],
    ["seven", "echo why >&2; exit 7", { exit: 7, signal: null, tail: "why\n" }],
    ["killed", "kill -9 $$", { exit: null, signal: 9 }],
    ["sigpipe", "kill -PIPE $$", { exit: null, signal: 13 }],
  ];
  for (const [id, script, expected] of table)
    t.match(await attachment.run(id, script), { ...expected, timeout: false, canceled: false });
  for (const [id, argv, reason] of [
    ["missing", ["no-such-program"], /no-such-program could not be started: no such program in PATH=/],
    ["path", ["./none"], /\.\/none could not be started: No such file/],
    ["folder", ["/tmp"], /\/tmp could not be started: Permission denied/],
  ] as const) {
    attachment.start(id, { argv: [...argv] });
    t.match(await attachment.done(id), { error: reason, exit: null, signal: null });
  }
  attachment.start("unstaged", { files: [["in.txt", "0".repeat(64), 0o644]] }, ["true"]);
  t.match((await attachment.done("unstaged")).error, /staged file in.txt could not be put.*No such file/);
  const alive = await attachment.run("memory", "head -c 50000000 /dev/zero | tail -c 1 >/dev/null; sleep 0.2");
  t.ok(alive.rss > 1 << 20);
  t.ok(alive.seconds >= 0.2 && alive.seconds < 10);
  attachment.start("where", {}, ["pwd"]);
  t.equal(decode((await attachment.done("where")).stdout).trim(), join(folder.root, "a/where/work"));
});

t.test("refuses what it cannot understand or must not do, and lives", async (t) => {
  const { attachment } = await agent(t);
  for (const line of [
    "{",
    "[]",
    '{"op":"nothing"}',
    '{"op":"start","id":"../x","spec":"s","chunk":"c","slot":0,"args":[]}',
    '{"op":"ack"}',
  ]) {
    attachment.raw(`${line}\n`);
    t.match(await attachment.next((one) => one.ev === "problem"), { message: /not understood/ });
  }
  attachment.start("up", { outputs: ["../up"] }, ["true"]);
  await attachment.next((one) => one.ev === "problem");
  attachment.send({ op: "start", id: "nospec", chunk: "c", slot: 0, spec: "never", args: [] });
  t.match((await attachment.done("nospec")).error, /never told the spec/);
  attachment.start("noslot", {}, ["true"], 9);
  t.match((await attachment.done("noslot")).error, /no slot 9/);
  t.equal((await attachment.run("fine", "true")).exit, 0);
});

t.test("gives inputs by link, lets a chunk change only what it declared, and keeps modes apart", async (t) => {
  const { attachment, folder } = await agent(t);
  const sha256 = folder.stage("#!/bin/sh\necho ran\n");
  const files: [string, string, number][] = [
    ["bin/tool", sha256, 0o755],
    ["data/plain", sha256, 0o644],
    ["data/own", sha256, 0o644],
  ];
  const script = "bin/tool; stat -c %a,%h bin/tool data/plain data/own; echo more >> data/own; ls deep/er -d";
  const done = await attachment.run("links", script, { files, outputs: ["data/own", "deep/er/none"] });
  const [ran, tool, plain, own, folderMade] = decode(done.stdout).trim().split("\n");
  t.same([ran, folderMade], ["ran", "deep/er"]);
  t.match(tool, /^555,2$/);
  t.match(plain, /^444,2$/);
  t.match(own, /^644,1$/);
  t.equal(
    readFileSync(join(folder.root, "store", sha256), "utf8"),
    "#!/bin/sh\necho ran\n",
    "the staged copy is as it was",
  );
  t.same(done.missing, ["deep/er/none"]);
});

t.test("reports outputs: small ones inline, large ones hashed, links and folders refused", async (t) => {
  const { attachment, folder } = await agent(t);
  const outputs = ["small", "middle", "big", "empty", "link", "via/file", "folder", "fifo", "none"];
  const script = [
    "rmdir via",
    "printf hello > small; head -c 5000 /dev/zero > middle; head -c 3000000 /dev/zero > big; : > empty",
    "ln -s small link; mkdir folder real; : > real/file; ln -s real via; mkfifo fifo",
  ].join("; ");
  const done = await attachment.run("outputs", script, { outputs });
  t.equal(done.exit, 0, done.tail);
  t.same(done.missing.sort(), ["fifo", "folder", "link", "none", "via/file"]);
  const by = new Map(done.outputs.map((one) => [one.path, one]));
  for (const [path, content] of [
    ["small", Buffer.from("hello")],
    ["middle", Buffer.alloc(5000)],
    ["big", Buffer.alloc(3000000)],
    ["empty", Buffer.alloc(0)],
  ] as const) {
    t.equal(by.get(path)?.size, content.length);
    t.equal(by.get(path)?.sha256, createHash("sha256").update(content).digest("hex"));
    t.equal(by.get(path)?.data, content.length <= 4096 ? content.toString("base64") : undefined);
  }
  t.ok(existsSync(join(folder.root, "a/outputs/work/big")), "it lies there until it is acknowledged");
  attachment.send({ op: "ack", ids: ["outputs", "unknown"] });
  await until("the attempt is deleted", () => folder.attempts().length === 0);
});

t.test("deletes what a chunk left in unexpected places too", async (t) => {
  const { attachment, folder } = await agent(t);
  await attachment.run("mess", "mkdir -p x/y; : > x/y/z; : > declared; chmod 0 x/y x", {
    outputs: ["declared", "gone"],
  });
  attachment.send({ op: "ack", ids: ["mess"] });
  await until("the attempt is deleted", () => folder.attempts().length === 0);
});

t.test("keeps a queue a slot, and never more than `max` at once", async (t) => {
  const slots = [0, 1, 2].map((slot) => ({ slot, env: {} }));
  const { attachment } = await agent(t, { slots, max: 2 });
  for (let index = 0; index < 9; index++) attachment.start(`q${index}`, {}, ["sleep 0.05"], index % 3);
  await Promise.all(Array.from({ length: 9 }, (_, index) => attachment.done(`q${index}`)));
  let running = 0;
  let most = 0;
  for (const one of attachment.messages) {
    if (one.ev === "started") running++;
    if (one.ev === "done") running--;
    most = Math.max(most, running);
  }
  t.ok(most <= 2 + 2, `${most} started and not reported at once`); // a successor starts before the result is told
  const order = attachment.messages.flatMap((one) => (one.ev === "started" ? [one.id] : []));
  for (const slot of [0, 1, 2]) {
    const mine = order.filter((id) => Number(id.slice(1)) % 3 === slot);
    t.same(mine, [...mine].sort(), `slot ${slot} kept its order`);
  }
});

t.test("starts the next chunk of a slot before it looks at the outputs of the last", async (t) => {
  const { attachment } = await agent(t);
  attachment.start("first", { outputs: ["big"] }, ["head -c 200000000 /dev/zero > big"]);
  attachment.start("second", {}, ["true"]);
  await attachment.done("first");
  const events = attachment.messages.map((one) => ("id" in one ? `${one.ev} ${one.id}` : one.ev));
  t.ok(events.indexOf("started second") < events.indexOf("done first"));
});

t.test("a timeout ends the whole group: TERM, then KILL", async (t) => {
  const { attachment, folder } = await agent(t);
  const soft = await attachment.run("soft", "sleep 1000", { timeout: 0.3 });
  t.match(soft, { timeout: true, signal: 15, exit: null });
  const script = 'trap "" TERM; sh -c \'trap "" TERM; while :; do sleep 1; done\' & while :; do sleep 1; done';
  const hard = await attachment.run("hard", script, { timeout: 0.3 });
  t.match(hard, { timeout: true, signal: 9 });
  t.ok(hard.seconds >= 5 && hard.seconds < 8, `${hard.seconds} s`);
  t.same(processesWith(`MUSTER_ROOT=${folder.root}`), [], "the grandchildren are gone with it");
});

t.test("what escapes its process group is found and killed before the slot goes on", async (t) => {
  const { attachment, folder } = await agent(t);
  const escaped =
    "setsid sh -c 'setsid sleep 1000 & sleep 1000' & (setsid env -i /bin/sleep 1000 &) ; sleep 0.2; exit 0";
  await attachment.run("escape", escaped);
  t.same(processesWith("MUSTER_ATTEMPT=escape"), []);
  const check = await attachment.run("check", "ps -eo ppid,args | grep '[s]leep 1000' || echo none");
  t.equal(decode(check.stdout), "none\n", "also the one that cleared its environment");
  t.ok(existsSync(folder.root));
});

t.test("cancels what is queued and what runs", async (t) => {
  const { attachment } = await agent(t);
  attachment.start("running", {}, ["sleep 1000"]);
  attachment.start("queued", {}, ["echo ran"]);
  attachment.start("kept", {}, ["echo ran"]);
  await attachment.next((one) => one.ev === "started" && one.id === "running");
  attachment.send({ op: "cancel", ids: ["queued", "running", "unknown"] });
  t.match(await attachment.done("queued"), { canceled: true, exit: null, signal: null });
  t.match(await attachment.done("running"), { canceled: true, signal: 15 });
  t.match(await attachment.done("kept"), { canceled: false, exit: 0 });
});

t.test("a cancel that comes while a timeout is ending an attempt is told beside it", async (t) => {
  const { attachment, folder } = await agent(t);
  const script = 'trap "echo > ../../../heard" TERM; while [ ! -e ../../../go ]; do sleep 0.02; done';
  attachment.start("late", { timeout: 0.2 }, [script]);
  await until("the timeout has struck", () => existsSync(join(folder.root, "heard")));
  attachment.send({ op: "cancel", ids: ["late"] }, { op: "cancel", ids: ["late"] });
  await attachment.run("behind", "true", {}, 1); // refused at once: the cancel before it has been heard
  writeFileSync(join(folder.root, "go"), "");
  t.match(await attachment.done("late"), { timeout: true, canceled: true });
  const ended = await attachment.run("ended", "true");
  attachment.send({ op: "cancel", ids: ["ended"] });
  attachment.start("ended", {}, ["true"]);
  t.same(await attachment.done("ended"), ended, "one that has ended stays as it ended");
});

t.test("a coordinator that goes away and comes back finds results, and what still runs", async (t) => {
  const { folder, attachment } = await agent(t);
  attachment.start("early", {}, ["echo early"]);
  attachment.start("later", {}, ["while [ ! -e ../../../go ]; do sleep 0.02; done; echo later"]);
  attachment.start("last", {}, ["echo last"]);
  await attachment.done("early");
  await attachment.next((one) => one.ev === "started" && one.id === "later");
  await attachment.drop();
  const second = new Attachment(folder);
  const hello = await second.open({ session: 2 });
  t.same(
    hello.held.map(({ id, state }) => [id, state]),
    [
      ["early", "done"],
      ["later", "running"],
      ["last", "queued"],
    ],
  );
  t.equal(decode((await second.done("early")).stdout), "early\n");
  second.start("later", {}, ["echo twice"]);
  await second.drop();
  writeFileSync(join(folder.root, "go"), "");
  await until("the queue went on without a coordinator", () => existsSync(join(folder.root, "a/last/out")));
  const third = new Attachment(folder);
  await third.open({ session: 3 });
  for (const id of ["early", "later", "last"]) t.equal(decode((await third.done(id)).stdout), `${id}\n`);
  third.send({ op: "ack", ids: ["early", "later", "last"] });
  await until("everything is deleted", () => folder.attempts().length === 0);
});

t.test("a newer attachment replaces the older one; two at once start one agent", async (t) => {
  const folder = new Folder();
  t.teardown(() => end(folder));
  const both = [new Attachment(folder), new Attachment(folder)];
  const hellos = await Promise.all(both.map((one) => one.next((message) => message.ev === "hello")));
  t.equal(new Set(hellos.map((one) => (one.ev === "hello" ? one.pid : 0))).size, 1);
  const code = await Promise.race(both.map((one) => one.ended()));
  t.equal(code, 0);
  const told = both.filter((one) => one.messages.some((message) => message.ev === "problem"));
  t.equal(told.length, 1, "the older one was told");
});

t.test("without a coordinator for longer than its lease, it kills everything and is gone", async (t) => {
  const { folder, attachment } = await agent(t, { lease: 0.5 });
  attachment.start("orphan", {}, ["setsid sleep 1000 & sleep 1000"]);
  await attachment.next((one) => one.ev === "started");
  await attachment.drop();
  await until("the folder is gone", () => !existsSync(folder.root));
  await until("no process is left", () => processesWith(folder.root).length === 0);
});

t.test("an agent that was killed leaves its results to the next one, and nothing running", async (t) => {
  const { folder, attachment, hello } = await agent(t);
  await attachment.run("kept", "echo kept");
  await attachment.run("acked", "echo acked");
  attachment.send({ op: "ack", ids: ["acked"] });
  attachment.start("running", {}, ["setsid sleep 1000 & sleep 1000"]);
  attachment.start("queued", {}, ["true"]);
  await attachment.next((one) => one.ev === "started" && one.id === "running");
  await until("it is deleted", () => !folder.attempts().includes("acked"));
  process.kill(hello.pid, "SIGKILL");
  await attachment.ended();
  const second = new Attachment(folder);
  const again = await second.open({ session: 2 });
  t.not(again.pid, hello.pid);
  t.same(again.held.map(({ id, state, chunk, slot }) => [id, state, chunk, slot]).sort(), [
    ["kept", "done", "chunk-kept", 0],
    ["running", "done", "chunk-running", 0],
  ]);
  t.equal(decode((await second.done("kept")).stdout), "kept\n");
  t.match(await second.done("running"), { error: /killed/, lost: true, exit: null });
  t.same(processesWith("MUSTER_ATTEMPT=running"), []);
  t.equal((await second.run("fresh", "true")).exit, 0);
});

t.test("the journal shrinks to what still counts, and nothing that counts is lost", async (t) => {
  const slots = [0, 1].map((slot) => ({ slot, env: {} }));
  const { folder, attachment, hello } = await agent(t, { inline: 1 << 20, slots });
  const journal = join(folder.root, "done.ndjson");
  await attachment.run("kept", "echo kept");
  attachment.start("running", {}, ["sleep 1000"]);
  await attachment.next((one) => one.ev === "started" && one.id === "running");
  let largest = 0;
  for (let index = 0; index < 9; index++) {
    await attachment.run(`large${index}`, "head -c 700000 /dev/zero > zeros", { outputs: ["zeros"] }, 1);
    attachment.send({ op: "ack", ids: [`large${index}`] });
    largest = Math.max(largest, statSync(journal).size);
  }
  t.ok(largest > 3 << 20, `it had grown to ${largest} bytes`);
  t.ok(statSync(journal).size < largest / 2, `${statSync(journal).size} bytes are left`);
  process.kill(hello.pid, "SIGKILL");
  await attachment.ended();
  const second = new Attachment(folder);
  await second.open({ session: 2 });
  t.equal(decode((await second.done("kept")).stdout), "kept\n");
  t.match(await second.done("running"), { lost: true });
});

t.test("where orphans cannot be adopted (a Python without ctypes), they are found by their environment", async (t) => {
  const folder = new Folder();
  const python = mkdtempSync(join(tmpdir(), "python-"));
  t.teardown(() => rmSync(python, { recursive: true }));
  writeFileSync(join(python, "ctypes.py"), "raise ImportError('built without libffi')\n");
  const attachment = new Attachment(folder, { PYTHONPATH: python, PYTHONDONTWRITEBYTECODE: "1" });
  t.teardown(() => end(folder));
  const hello = await attachment.open();
  const escaped = "setsid sh -c 'setsid sleep 1000 & sleep 1000' & sleep 0.2; exit 3";
  t.match(await attachment.run("escape", escaped), { exit: 3 });
  t.same(processesWith("MUSTER_ATTEMPT=escape"), [], "before the slot goes on");
  attachment.start("running", {}, ["setsid sh -c 'sleep 1000 & echo $! > ../../../orphan' & sleep 1000"]);
  const orphan = join(folder.root, "orphan");
  await until("it is an orphan", () => {
    const parent = existsSync(orphan) && parentOf(readFileSync(orphan, "utf8").trim());
    return parent !== false && !processesWith("MUSTER_ATTEMPT=running").includes(parent);
  });
  t.not(parentOf(readFileSync(orphan, "utf8").trim()), hello.pid, "which the agent did not adopt");
  await attachment.stop();
  t.same(processesWith(folder.root), [], "nor after a stop");
});

function parentOf(pid: string): number | false {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[1]);
}

t.test("two runs share a GPU: one at a time, in turn, each told who holds it", async (t) => {
  const slots = [{ slot: 0, env: {}, lock: `test-${process.pid}` }];
  const first = await agent(t, { run: "alpha", slots });
  const second = await agent(t, { run: "beta", slots });
  first.attachment.start("long", {}, ["sleep 1.5"]);
  await first.attachment.next((one) => one.ev === "started");
  second.attachment.start("waiting", {}, ["true"]);
  t.match(await second.attachment.next((one) => one.ev === "slot"), { slot: 0, holder: "alpha" });
  t.notOk(second.attachment.messages.some((one) => one.ev === "started"));
  await first.attachment.done("long");
  const free = await second.attachment.next((one) => one.ev === "slot");
  t.notOk("holder" in free);
  await second.attachment.done("waiting");
  for (let index = 0; index < 40; index++) first.attachment.start(`busy${index}`, {}, ["sleep 0.3"]);
  await first.attachment.next((one) => one.ev === "started" && one.id === "busy0");
  second.attachment.start("turn", {}, ["true"]);
  await second.attachment.done("turn");
  t.notOk(
    first.attachment.messages.some((one) => one.ev === "done" && one.id === "busy39"),
    "it had its turn while the other run still had work",
  );
});

t.test("a log that grows without end is capped while the chunk runs, and says so", async (t) => {
  const { folder, attachment } = await agent(t, { log: 10000 });
  attachment.start("noisy", {}, [
    "echo first; head -c 5000000 /dev/zero | tr '\\0' x; sleep 2.5; echo end; echo end >&2",
  ]);
  await until("it is capped while it runs", () => {
    const file = join(folder.root, "a/noisy/out");
    const { size, blocks } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0, blocks: 0 };
    return size > 5_000_000 && blocks * 512 <= 32768;
  });
  const done = await attachment.done("noisy");
  t.ok(done.stdout.size <= 10000, `${done.stdout.size}`);
  const log = readFileSync(join(folder.root, "a/noisy/out"), "utf8");
  t.ok(log.startsWith("first\n"));
  t.match(log, /\[muster: this log grew past 10000 bytes/);
  t.ok(log.endsWith("end\n"));
  t.equal(decode(done.stderr), "end\n");
});

/** Why no small file system can be mounted here, or undefined. */
function cannotMount(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "a full disk needs root: it is a small tmpfs";
}

t.test("a full disk fails the chunk and says so; the agent lives on", { skip: cannotMount() ?? false }, async (t) => {
  const place = mkdtempSync(join(tmpdir(), "full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k,nr_inodes=60", "tmpfs", place]);
  t.teardown(() => {
    execFileSync("umount", ["-l", place]);
    rmSync(place, { recursive: true });
  });
  const folder = new Folder(place);
  const attachment = new Attachment(folder);
  await attachment.open();
  const nodes = await attachment.run("nodes", "for i in $(seq 100); do : > f$i || exit 9; done");
  t.match(nodes, { exit: 2, tail: /No space left/ });
  t.match(
    (await attachment.run("next", "true")).error,
    /folder .*\/a\/next could not be made: No space left on device/,
  );
  attachment.send({ op: "ack", ids: ["nodes", "next"] });
  await until("there is room again", () => folder.attempts().length === 0);
  t.not(
    (await attachment.run("bytes", "head -c 1000000 /dev/zero > out")).exit,
    0,
    "the chunk fails, its result is told",
  );
  for (let index = 0; index < 30; index++) await attachment.run(`small${index}`, "true");
  t.match(await attachment.next((one) => one.ev === "problem"), {
    message: /results could not be saved in .*: No space left/,
  });
  attachment.send({ op: "ack", ids: Array.from({ length: 30 }, (_, index) => `small${index}`) });
  attachment.send({ op: "ack", ids: ["bytes"] });
  await until("there is room again", () => folder.attempts().length === 0);
  t.equal((await attachment.run("room", "true")).exit, 0);
  await attachment.stop();
});

t.test("says why the run's folder cannot be made", async (t) => {
  const folder = new Folder();
  folder.remove();
  const inTheWay = join(folder.root, "../..");
  writeFileSync(inTheWay, "");
  t.teardown(() => rmSync(inTheWay));
  const attachment = new Attachment(folder);
  t.equal(await attachment.ended(), 1);
  t.match(attachment.stderr, /^muster agent: Not a directory \(.*runs.*\)\n$/);
});
