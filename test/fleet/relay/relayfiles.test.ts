import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../../lab/waituntil.js";
import { afterStatements, asNobody, relayPid, startRelay } from "./startrelay.js";

const MEGABYTE = 1_000_000;
const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");
const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

t.test("50 MB go both ways while programs are answered", async (t) => {
  const { connection } = await startRelay();
  t.teardown(() => connection.close());
  const files = await connection.files();
  const folder = t.testdir();
  const data = randomBytes(50 * MEGABYTE);
  writeFileSync(join(folder, "local"), data);
  let isCopied = false;
  const copied = files
    .upload(join(folder, "local"), join(folder, "remote"), 0o640)
    .then(() => files.download(join(folder, "remote"), join(folder, "back"), data.length))
    .finally(() => {
      isCopied = true;
    });
  let answers = 0;
  for (; !isCopied; answers++) t.match(await connection.exec(["echo", "x"], { timeout: 5 }), { stdout: "x\n" });
  t.same(await copied, { size: data.length, sha256: sha256(data) });
  t.ok(readFileSync(join(folder, "back")).equals(data));
  t.ok(answers > 3, `${answers} programs meanwhile`);
  t.equal(statSync(join(folder, "remote")).mode & 0o777, 0o640);
});

t.test("a download that breaks off keeps its part, and another relay continues it", async (t) => {
  const folder = t.testdir();
  const [remote, local] = [join(folder, "remote"), join(folder, "local")];
  const data = randomBytes(100 * MEGABYTE);
  writeFileSync(remote, data);
  const { connection } = await startRelay();
  const pid = await relayPid(connection);
  const broken = (await connection.files()).resumeDownload(remote, local, data.length).catch((error) => error);
  await waitUntil("a part is here", () => sizeOf(local) > 0, 20);
  process.kill(pid, "SIGKILL");
  t.match(await broken, { name: "ConnectionError", code: "LOST", message: /read .*killed by SIGKILL/ });
  const part = sizeOf(local);
  t.ok(part > 0 && part < data.length, `${part} bytes are kept`);
  const next = await startRelay();
  t.teardown(() => next.connection.close());
  const whole = await (await next.connection.files()).resumeDownload(remote, local, data.length);
  t.same(whole, { size: data.length, sha256: sha256(data) });
  t.ok(readFileSync(local).equals(data));
});

for (const end of ["close", "SIGHUP", "end of its input"])
  t.test(`unfinished uploads are removed: ${end}`, async (t) => {
    const folder = t.testdir({ there: {}, local: "" });
    writeFileSync(join(folder, "local"), Buffer.alloc(200 * MEGABYTE));
    const { connection, channel } = await startRelay();
    const pid = await relayPid(connection);
    const files = await connection.files();
    const broken = files.upload(join(folder, "local"), join(folder, "there/file"), 0o600).catch((error) => error);
    const part = () => readdirSync(join(folder, "there")).find((name) => name.endsWith(".part"));
    await waitUntil("a part is there", () => part() !== undefined && sizeOf(join(folder, "there", part()!)) > 0, 20);
    if (end === "close") await connection.close();
    else if (end === "SIGHUP") process.kill(pid, "SIGHUP");
    else channel.stdin.end();
    t.match(await broken, { name: "ConnectionError", code: "LOST" });
    await channel.ended;
    await waitUntil("the relay has ended", () => !existsSync(`/proc/${pid}`), 5);
    t.same(readdirSync(join(folder, "there")), []);
  });

t.test("what is no regular file is refused, and blocks nothing", async (t) => {
  const folder = t.testdir({ file: "x", link: t.fixture("symlink", "file") });
  const { connection } = await startRelay();
  t.teardown(() => connection.close());
  const files = await connection.files();
  await connection.exec(["mkfifo", join(folder, "fifo")], { timeout: 20 });
  const bind = "import os, socket, sys; os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind('socket')";
  t.match(await connection.exec(["python3", "-c", bind, folder], { timeout: 20 }), { code: 0 });
  for (const name of ["fifo", "link", "socket", "."])
    await t.rejects(files.download(join(folder, name), join(folder, "never"), 10), {
      code: "FILE",
      message: /not a regular file/,
    });
  await t.rejects(files.download("/dev/zero", join(folder, "never"), 10), { code: "FILE" });
  t.notOk(existsSync(join(folder, "never")));
});

t.test("paths with any characters", async (t) => {
  const folder = t.testdir();
  const { connection } = await startRelay({}, ["env", "LC_ALL=C", "python3"]);
  t.teardown(() => connection.close());
  const files = await connection.files();
  for (const name of ["a b", "é漢😀", "line\nfeed", "'\"\\$x"]) {
    await files.upload(Buffer.from(name), join(folder, name), 0o600);
    t.equal(readFileSync(join(folder, name), "utf8"), name);
    t.match(await files.stat(join(folder, name)), { kind: "file", size: Buffer.byteLength(name) });
  }
  await t.rejects(files.stat("/a\0b"), { code: "FILE" });
});

t.test("files of another user", async (t) => {
  const folder = t.testdir({ closed: { file: "x" }, here: {} });
  chmodSync(join(folder, "closed/file"), 0);
  chmodSync(join(folder, "closed"), 0o500);
  const { connection } = await startRelay({}, asNobody());
  t.teardown(() => connection.close());
  const files = await connection.files();
  const denied = { name: "ConnectionError", code: "DENIED" };
  await t.rejects(files.upload(Buffer.from("x"), join(folder, "closed/new"), 0o600), { ...denied, next: /workdir/ });
  await t.rejects(files.makeFolder(join(folder, "closed/new"), 0o700), denied);
  await t.rejects(files.download(join(folder, "closed/file"), join(folder, "here/file"), 10), denied);
  if (process.getuid?.() === 0) await t.rejects(files.stat(join(folder, "closed/absent")), denied);
  t.notOk(existsSync(join(folder, "here/file")));
  chmodSync(join(folder, "closed"), 0o700);
});

t.test("a disk that is slow holds up no program", async (t) => {
  const folder = t.testdir();
  const slow = afterStatements("import os, time\nos.fsync = lambda descriptor: time.sleep(3)");
  const { connection } = await startRelay({}, slow);
  t.teardown(() => connection.close());
  const files = await connection.files();
  const order: string[] = [];
  const uploads = ["a", "b", "c", "d", "e"].map((name) => files.upload(Buffer.from("x"), join(folder, name), 0o600));
  const uploaded = Promise.all(uploads).then(() => order.push("upload"));
  const echo = connection.exec(["echo", "x"], { timeout: 20 }).then(({ stdout }) => order.push(stdout.trim()));
  await Promise.all([uploaded, echo]);
  t.same(order, ["x", "upload"]);
});

for (const [call, name, message] of [
  ["pwrite", "EDQUOT", /quota of the user is used up/],
  ["pwrite", "ENOSPC", /No space left/],
  ["fsync", "EDQUOT", /quota of the user is used up/],
] as const)
  t.test(`an upload that fails with ${name} in ${call} leaves the old file as it was, and nothing else`, async (t) => {
    const folder = t.testdir({ file: "old" });
    const failing = `import errno, os\ndef fail(*_): raise OSError(errno.${name}, os.strerror(errno.${name}))\nos.${call} = fail`;
    const { connection } = await startRelay({}, afterStatements(failing));
    t.teardown(() => connection.close());
    const files = await connection.files();
    for (const size of [10, 3 * MEGABYTE])
      await t.rejects(files.upload(Buffer.alloc(size), join(folder, "file"), 0o600), { code: "NO_SPACE", message });
    t.same(readdirSync(folder), ["file"]);
    t.equal(readFileSync(join(folder, "file"), "utf8"), "old");
  });
