import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { connect } from "../../fleet/connect.js";
import type { Connection, Files } from "../../fleet/connection.js";
import { lacking, startLab } from "../lab/lab.js";
import { createNode, toInventoryNode } from "./nodes.js";
import { startRelay } from "./relay/startrelay.js";

const skip = lacking();
const MIB = 1024 * 1024;

function sha256(data: Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

/** What both kinds of Files promise alike; `open` says where, an empty folder. */
function promises(t: Test, open: (local: string) => Promise<{ connection: Connection; there: string }>): void {
  let connection: Connection;
  let there: string;
  let files: Files;
  let here: string;
  t.before(async () => {
    const folder = t.testdir({ here: {}, there: {} });
    here = join(folder, "here");
    ({ connection, there } = await open(join(folder, "there")));
    files = await connection.files();
  });
  t.teardown(() => connection.close());

  const shell = async (script: string) => {
    const outcome = await connection.exec(["sh", "-c", `cd "$0" && ${script}`, there], { timeout: 60 });
    if (outcome.kind !== "exit" || outcome.code !== 0) throw new Error(JSON.stringify(outcome));
    return outcome.stdout;
  };
  const local = (name: string, content: string | Buffer) => {
    writeFileSync(join(here, name), content);
    return join(here, name);
  };

  t.test("files of every size are uploaded and downloaded unchanged", async (t) => {
    for (const size of [0, 1, 255 * 1024 - 1, 255 * 1024, 255 * 1024 + 1, 3 * MIB + 7]) {
      const data = randomBytes(size);
      await files.upload(local("data", data), `${there}/size-${size}`, 0o640);
      t.same(await files.stat(`${there}/size-${size}`), { kind: "file", size, mode: 0o640 });
      const back = await files.download(`${there}/size-${size}`, join(here, `back-${size}`), size);
      t.same(back, { size, sha256: sha256(data) });
      t.ok(readFileSync(join(here, `back-${size}`)).equals(data));
    }
  });

  t.test("64 MiB are uploaded and downloaded in reasonable time", async (t) => {
    const data = randomBytes(64 * MIB);
    const begin = performance.now();
    await files.upload(local("big", data), `${there}/big`, 0o600);
    const back = await files.download(`${there}/big`, join(here, "big-back"), 64 * MIB);
    t.equal(back.sha256, sha256(data));
    // Nagle, or requests one at a time, would take more than a minute.
    t.ok(performance.now() - begin < 20_000, `${Math.round(performance.now() - begin)} ms`);
  });

  t.test("an upload replaces the existing file, and leaves no other file", async (t) => {
    await shell("mkdir replace && echo old > replace/file");
    await files.upload(local("new", "new\n"), `${there}/replace/file`, 0o755);
    t.equal(await shell("ls -A replace; cat replace/file"), "file\nnew\n");
    t.match(await files.stat(`${there}/replace/file`), { mode: 0o755 });
    await shell("mkdir replace/folder replace/folder/full");
    await t.rejects(files.upload(local("new", "new\n"), `${there}/replace/folder`, 0o600), { code: "FILE" });
    t.equal(await shell("ls -A replace"), "file\nfolder\n");
  });

  t.test("many small files are transferred at once", async (t) => {
    await files.makeFolder(`${there}/many`, 0o700);
    mkdirSync(join(here, "many"));
    const names = Array.from({ length: 300 }, (_, index) => `file-${index}`);
    await Promise.all(names.map((name) => files.upload(local(name, name), `${there}/many/${name}`, 0o600)));
    const got = await Promise.all(
      names.map((name) => files.download(`${there}/many/${name}`, join(here, "many", name), 100)),
    );
    t.same(
      got.map((each) => each.sha256),
      names.map((name) => sha256(Buffer.from(name))),
    );
  });

  t.test("a download continues behind what an earlier one left, and hashes all of it", async (t) => {
    const data = randomBytes(MIB + 7);
    await files.upload(local("whole", data), `${there}/whole`, 0o600);
    const resume = (name: string) => files.resumeDownload(`${there}/whole`, join(here, name), data.length);
    const whole = { size: data.length, sha256: sha256(data) };
    t.same(await resume("none"), whole, "nothing is there");
    for (const part of [0, 1, 300_000, data.length]) {
      t.same(await resume(local(`part-${part}`, data.subarray(0, part)).slice(here.length)), whole, `${part} bytes`);
      t.ok(readFileSync(join(here, `part-${part}`)).equals(data));
    }
    const other = Buffer.from(data);
    other[5]! ^= 1;
    local("other", other.subarray(0, 1000));
    t.same(await resume("other"), { size: data.length, sha256: sha256(other) }, "what is there is not read again");
    local("longer", Buffer.alloc(data.length + 1));
    t.same(await resume("longer"), whole, "what is longer cannot be a part");
    await t.rejects(files.resumeDownload(`${there}/absent`, local("kept", "kept"), 10), { code: "MISSING" });
    symlinkSync(join(here, "whole"), join(here, "link"));
    await t.rejects(resume("link"), { code: "ELOOP" }, "a link is not followed");
  });

  t.test("only regular files are taken, up to the limit", async (t) => {
    await shell("mkdir odd && cd odd && echo secret > file && ln -s file link && mkfifo fifo && mkdir folder");
    for (const [name, error] of [
      ["link", { code: "FILE", message: /not a regular file/ }],
      ["fifo", { code: "FILE", message: /not a regular file/ }],
      ["folder", { code: "FILE", message: /not a regular file/ }],
      ["absent", { code: "MISSING", message: /absent/ }],
      ["file/below", { code: "MISSING" }],
    ] as const) {
      await t.rejects(files.download(`${there}/odd/${name}`, join(here, "never"), 1000), error, name);
    }
    await t.rejects(files.download(`${there}/odd/file`, join(here, "never"), 6), {
      code: "FILE",
      message: /7 B.*6 B/,
    });
    t.notOk(existsSync(join(here, "never")));
    writeFileSync(join(here, "mine"), "mine");
    await t.rejects(files.download(`${there}/odd/file`, join(here, "mine"), 1000));
    t.equal(readFileSync(join(here, "mine"), "utf8"), "mine", "what is here is never overwritten");
  });

  t.test("stat reports the kind, size and mode of a path", async (t) => {
    await shell("mkdir look && cd look && echo x > file && ln -s nowhere link && mkfifo fifo && chmod 4711 file");
    t.match(await files.stat(`${there}/look/file`), { kind: "file", size: 2, mode: 0o4711 });
    t.match(await files.stat(`${there}/look/link`), { kind: "link" });
    t.match(await files.stat(`${there}/look/fifo`), { kind: "other" });
    t.match(await files.stat(`${there}/look`), { kind: "folder" });
    t.equal(await files.stat(`${there}/look/absent`), undefined);
    t.equal(await files.stat(`${there}/look/file/below`), undefined);
    const long = files.stat(`${there}/look/${"x".repeat(300)}`);
    await t.rejects(long, { code: "FILE" }, "what cannot be looked at is not missing");
    t.ok(((await files.free(there)) ?? 0) > MIB);
    t.match(await files.home(), /^\//);
  });

  t.test("folders are created with their parents", async (t) => {
    await files.makeFolder(`${there}/a/b/c`, 0o770);
    t.same((await shell("stat -c %a a a/b a/b/c")).trim(), "770\n770\n770");
    await files.makeFolder(`${there}/a/b`, 0o700);
    t.equal((await files.stat(`${there}/a/b`))?.mode, 0o770, "what is there stays as it is");
    await shell("echo x > a/file && ln -s a/b link && ln -s nowhere dangling");
    await files.makeFolder(`${there}/link`, 0o700);
    await files.makeFolder(`${there}/link/d`, 0o700);
    t.match(await files.stat(`${there}/a/b/d`), { kind: "folder" });
    await t.rejects(files.makeFolder(`${there}/a/file`, 0o700), { name: "ConnectionError" });
    await t.rejects(files.makeFolder(`${there}/a/file/below`, 0o700), { name: "ConnectionError" });
    await t.rejects(files.makeFolder(`${there}/dangling`, 0o700), { name: "ConnectionError" });
    const names = Array.from({ length: 20 }, (_, index) => `${there}/at/once/${index % 3}`);
    await Promise.all(names.map((name) => files.makeFolder(name, 0o700)));
    t.equal(await shell("ls at/once"), "0\n1\n2\n");
  });

  t.test("a local file that cannot be read is not blamed on the node", async (t) => {
    await t.rejects(files.upload(join(here, "nothing"), `${there}/x`, 0o600), { code: "ENOENT" });
    await t.rejects(files.upload(local("f", "x"), `${there}/no/such/folder`, 0o600), { code: "MISSING" });
  });

  t.test("a full disk is reported as such", async (t) => {
    const mount = await connection.exec(["mount", "-t", "tmpfs", "-o", "size=1m", "none", there], { timeout: 20 });
    if (mount.kind !== "exit" || mount.code !== 0) return void t.pass("skipped: needs root: a small file system");
    t.teardown(() => connection.exec(["umount", there], { timeout: 20 }));
    await t.rejects(files.upload(local("large", Buffer.alloc(4 * MIB)), `${there}/large`, 0o600), { code: "NO_SPACE" });
    t.equal(await shell("ls -A"), "", "and keeps no part of it");
  });

  t.test("leaves no descriptor open", { skip: !existsSync("/proc/self/fd") && "needs /proc" }, async (t) => {
    const open = () => readdirSync("/proc/self/fd").length;
    await files.download(`${there}/size-1`, join(here, "first"), 10);
    const before = open();
    for (let index = 0; index < 5; index++) {
      await files.download(`${there}/size-1`, join(here, `fd-${index}`), 10);
      await files.download(`${there}/absent`, join(here, "never"), 10).catch(() => {});
      await files.upload(join(here, "first"), `${there}/no/such`, 0o600).catch(() => {});
    }
    t.ok(open() <= before);
  });
}

t.test("this machine", async (t) => {
  promises(t, async (there) => ({ connection: await connect(createNode({ connection: "local" })), there }));
});

t.test("through a relay", async (t) => {
  promises(t, async (there) => ({ connection: (await startRelay()).connection, there }));
});

t.test("over SSH", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0 });
  t.teardown(() => lab.stop());
  promises(t, async () => {
    const connection = await connect(toInventoryNode(lab.nodes[0]!));
    const files = await connection.files();
    const there = `${await files.home()}/muster-files-test-${process.pid}`;
    await files.makeFolder(there, 0o700);
    if (lab.kind === "plain") t.teardown(() => connection.exec(["rm", "-rf", there], { timeout: 20 }));
    return { connection, there };
  });
});

t.test("files of another user", { skip: lacking("another user") }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, user: "rig" });
  t.teardown(() => lab.stop());
  const connection = await connect(toInventoryNode(lab.nodes[0]!));
  t.teardown(() => connection.close());
  const files = await connection.files();
  const here = t.testdir({ file: "x" });
  await t.rejects(files.upload(join(here, "file"), "/etc/never", 0o600), { code: "DENIED", next: /workdir/ });
  await t.rejects(files.makeFolder("/etc/never", 0o700), { code: "DENIED" });
  await t.rejects(files.stat("/root/absent"), { code: "DENIED" }, "nobody can tell whether it is there");
  await t.rejects(files.download("/etc/shadow", join(here, "shadow"), 1e6), { code: "DENIED" });
  await t.rejects(stat(join(here, "shadow")));
});
