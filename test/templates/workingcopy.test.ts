import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type AgentAttachment, type AgentFolder, attachAgent, decodeInline } from "./agentdriver.js";

t.setTimeout(600_000);

const LINK_MODE = 0o120000;
const OLD_SECONDS = 1_600_000_000;

/** Stages a project of these files, and returns the SHA-256 of its manifest. */
function stageTree(folder: AgentFolder, files: Record<string, string>, links: Record<string, string> = {}): string {
  const rows = Object.entries(files).map(([path, content]) => [
    path,
    path.endsWith(".sh") ? 0o755 : 0o644,
    OLD_SECONDS,
    folder.stage(content),
    Buffer.byteLength(content),
  ]);
  const linked = Object.entries(links).map(([path, target]) => [path, LINK_MODE, OLD_SECONDS, target]);
  return folder.stage(JSON.stringify({ files: [...rows, ...linked] }));
}

/** Everything below the working directory, with types, modes and contents, as an attempt finds it. */
const DESCRIBE =
  'find . -mindepth 1 -not -name "*.pyc" | sort | while read -r f; do stat -c "%n %F %a" "$f"; done; cat $(find . -type f | sort)';

async function describeCopy(attachment: AgentAttachment, id: string, tree: string): Promise<string> {
  return decodeInline((await attachment.run(id, DESCRIBE, { tree })).stdout);
}

t.test("whatever an attempt does to its working copy, the next one starts with the project", async (t) => {
  const { attachment, folder } = await attachAgent(t, { inline: 65536 });
  const files = { "a.txt": "one\n", "lib/b.txt": "two\n", "lib/deep/run.sh": "#!/bin/sh\n" };
  const tree = stageTree(folder, files, { "lib/link": "../a.txt" });
  const before = await describeCopy(attachment, "before", tree);
  t.match(before, /\.\/lib\/link symbolic link/);
  t.match(before, /one\n.*two\n/s);
  const misdeeds = [
    "echo more >> a.txt",
    "cp -p a.txt /tmp/old-$$; printf 'ONE\\n' > a.txt; touch -r /tmp/old-$$ a.txt; rm /tmp/old-$$", // the same size and time
    "printf 'ONE\\n' > a.txt", // the same size
    "printf 'ONE\\n' > a.txt; touch -d @1600000000 a.txt; mv a.txt x; cp x a.txt", // another inode
    "rm a.txt; mkdir a.txt; echo x > a.txt/x",
    "rm -r lib",
    "rm -r lib; ln -s /etc lib",
    "rm lib/link; ln -s /etc/passwd lib/link",
    "rm lib/link; echo x > lib/link",
    "chmod 0 lib/b.txt a.txt",
    "chmod 0 lib/deep lib",
    "chmod 700 a.txt",
    "mkfifo pipe; mkdir -p deep/er; echo x > deep/er/y; chmod 0 deep/er deep",
    "rm -rf ./* ",
    "cd ..; rm -rf 0",
    "cd ..; rm -rf 0; echo x > 0",
    "cd ..; rm -rf 0; ln -s /etc 0",
    "mkdir __pycache__; echo x > __pycache__/y.txt; echo x > __pycache__.pyc",
    "ln a.txt lib/again; echo more >> lib/again",
  ];
  for (const [index, misdeed] of misdeeds.entries()) {
    t.equal((await attachment.run(`bad${index}`, misdeed, { tree })).exit, 0, misdeed);
    t.equal(
      (await describeCopy(attachment, `after${index}`, tree)).replace(/^\.\/__pycache__ .*\n/m, ""),
      before,
      misdeed,
    );
  }
  for (const [path, content] of Object.entries(files))
    t.equal(
      readFileSync(join(folder.root, "store", createHash("sha256").update(content).digest("hex")), "utf8"),
      content,
      path,
    );
});

t.test("attempts of another project, other inputs or none get just those", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const [one, other] = [stageTree(folder, { "a/x": "1", b: "same" }), stageTree(folder, { a: "2", b: "same" })];
  const input = folder.stage("input");
  const list = "find . -mindepth 1 | sort | tr '\\n' ' '";
  for (const [id, spec, expected] of [
    ["1", { tree: one }, "./a ./a/x ./b "],
    ["2", { tree: other }, "./a ./b "],
    ["3", { tree: one, files: [["in/put", input, 0o644, 5]] }, "./a ./a/x ./b ./in ./in/put "],
    ["4", {}, ""],
    ["5", { tree: one, files: [["b", input, 0o644, 5]] }, "./a ./a/x ./b "],
  ] as const) {
    const done = await attachment.run(id, list, spec as Parameters<AgentAttachment["run"]>[2]);
    t.equal(decodeInline(done.stdout), expected, id);
  }
  t.equal(decodeInline((await attachment.run("6", "cat b", { tree: one })).stdout), "same", "the input is gone again");
});

t.test("programs start in the folder that is named, and find modules where PYTHONPATH says", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const tree = stageTree(folder, { "src/pkg/__init__.py": "", "src/pkg/m.py": "print('m')", "jobs/conf": "c" });
  const spec = { tree, cwd: "jobs/deep", pythonPath: ["src", "."], env: { PYTHONPATH: "/own" } };
  attachment.start("python", {
    ...spec,
    argv: ["python3", "-c", "import pkg.m, os; print(os.getcwd(), os.environ['PYTHONPATH'])"],
  });
  const copy = join(folder.root, "w/0");
  const library = join(folder.root, "lib");
  const expected = `m\n${copy}/jobs/deep ${copy}/src:${copy}/:/own:${library}\n`;
  t.equal(decodeInline((await attachment.waitForDone("python")).stdout), expected);
  const done = await attachment.run("output", "cat ../conf > r.txt", { ...spec, outputs: ["jobs/deep/r.txt"] });
  t.match(done, { exit: 0, missing: [], outputs: [{ path: "jobs/deep/r.txt", size: 1 }] });
});

t.test("declared outputs are not there when an attempt starts, though the project has them", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const tree = stageTree(folder, { "results/r.txt": "stale", "results/other": "kept" });
  const done = await attachment.run("stale", "ls results", { tree, outputs: ["results/r.txt"] });
  t.match(done, { exit: 0, missing: ["results/r.txt"], outputs: [] });
  t.equal(decodeInline(done.stdout), "other\n");
});

t.test("large outputs of an attempt stay until they are acknowledged, while the next one runs", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  for (const id of ["1", "2"]) {
    const script = `head -c 100000 /dev/zero | tr '\\0' ${id} > out/r; echo small > s`;
    t.match(await attachment.run(id, script, { outputs: ["out/r", "s"] }), { exit: 0, missing: [] });
  }
  for (const id of ["1", "2"])
    t.equal(readFileSync(join(folder.root, "a", id, "work/out/r"), "utf8"), id.repeat(100_000));
  t.same(readdirSync(join(folder.root, "a/1")).sort(), ["err", "out", "work"]);
});

t.test("a large project is prepared while other slots continue, and reset as well", async (t) => {
  const { attachment, folder } = await attachAgent(t, { slots: [0, 1].map((slot) => ({ slot, env: {} })) });
  const files = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`d${n % 50}/f${n}`, `${n}`]));
  const tree = stageTree(folder, files);
  const count = "find . -type f | wc -l; cat d7/f7";
  attachment.start("large", { tree }, [count], 0);
  t.equal((await attachment.run("small", "true", {}, 1)).exit, 0);
  const order = attachment.messages.flatMap((one) => (one.ev === "started" || one.ev === "done" ? [one.id] : []));
  t.equal(order[0], "small", "it does not wait for the large one");
  t.equal(decodeInline((await attachment.waitForDone("large")).stdout), "3000\n7");
  await attachment.run("bad", "rm -r d7; echo x > d8/f8; echo x > new", { tree });
  t.equal(decodeInline((await attachment.run("again", `${count}; cat d8/f8`, { tree })).stdout), "3000\n78");
  rmSync(join(folder.root, "store", createHash("sha256").update("7").digest("hex")));
  await attachment.run("spoilt", "rm d7/f7", { tree });
  t.match(await attachment.run("lacking", "true", { tree }), { cancelled: true }, "the chunk did not fail");
  t.equal((await attachment.run("other", "true", {}, 1)).exit, 0, "and the agent continues");
});

t.test("a shared input that an attempt wrote to fails every attempt that had it, and is staged again", async (t) => {
  const slots = [0, 1, 2].map((slot) => ({ slot, env: {} }));
  const { attachment, folder } = await attachAgent(t, { slots });
  const content = Buffer.alloc(5 << 20, "x");
  const sha256 = folder.stage(content);
  const spec = { files: [["big", sha256, 0o644, content.length]] as [string, string, number, number][] };
  const probe = await attachment.run("links", "stat -c %h big", spec);
  if (decodeInline(probe.stdout) !== "2\n") return t.comment("this file system copies on write: nothing is shared");
  const wait = "while [ ! -e ../../go ]; do sleep 0.1; done";
  attachment.start("reader", spec, [`${wait}; sha256sum big`], 1);
  attachment.start("unlinker", spec, [`rm big; ${wait}`], 2);
  for (const id of ["reader", "unlinker"]) await attachment.waitFor((one) => one.ev === "started" && one.id === id);
  const done = await attachment.run("writer", "chmod u+w big && echo more >> big", spec);
  t.match(done, { exit: 0, error: /the input big was written to while it ran/ });
  const next = attachment.run("next", "true", spec);
  t.match(await attachment.waitFor((one) => one.ev === "lacks"), { sha256 });
  t.match(await next, { cancelled: true });
  folder.stage(content);
  t.equal(decodeInline((await attachment.run("good", "sha256sum < big", spec)).stdout), `${sha256}  -\n`);
  writeFileSync(join(folder.root, "go"), "");
  for (const id of ["reader", "unlinker"])
    t.match(await attachment.waitForDone(id), { error: /the input big was written to while it ran/ }, id);
  t.equal(decodeInline((await attachment.run("last", "sha256sum < big", spec, 1)).stdout), `${sha256}  -\n`);
});

t.test("the agent says which files of a project are missing, and checks those that are sent", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const files = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`f${n}`, `content ${n}`]));
  const sha256 = stageTree(folder, files);
  const ask = async () => {
    attachment.send({ op: "tree", sha256 });
    return attachment.waitFor((one) => one.ev === "tree");
  };
  t.match(await ask(), { missing: Buffer.from([0, 0]).toString("base64") });
  const path = (n: number) => join(folder.root, "store", createHash("sha256").update(`content ${n}`).digest("hex"));
  rmSync(path(0));
  writeFileSync(path(9), "");
  t.match(await ask(), { missing: Buffer.from([0b10000000, 0b01000000]).toString("base64") });
  const put = (n: number, data: string, more: object = {}) =>
    attachment.send({ op: "put", sha256: path(n).slice(-64), data: Buffer.from(data).toString("base64"), ...more });
  put(0, "content", { more: true });
  put(0, " 0", { offset: 7 });
  put(9, "contend 9");
  t.match(await ask(), { missing: Buffer.from([0, 0b01000000]).toString("base64") }, "wrong bytes are not stored");
  t.match((await attachment.run("wrong", "true", { tree: sha256 })).error, /what arrived has another SHA-256/);
  put(9, "content 9");
  t.equal(decodeInline((await attachment.run("right", "cat f0 f9", { tree: sha256 })).stdout), "content 0content 9");
  attachment.send({ op: "tree", sha256: "0".repeat(64) });
  t.notOk("missing" in (await attachment.waitFor((one) => one.ev === "tree")), "a manifest that is not there");
});

t.test("the successor of a killed agent puts working copies right, too", async (t) => {
  const { attachment, folder, hello } = await attachAgent(t);
  const tree = stageTree(folder, { a: "one" });
  attachment.start("running", { tree }, ["echo two > a; echo x > b; sleep 1000"]);
  await attachment.waitFor((one) => one.ev === "started");
  while (!existsSync(join(folder.root, "w/0/b"))) await new Promise((resolve) => setTimeout(resolve, 10));
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  const { AgentAttachment } = await import("./agentdriver.js");
  const second = new AgentAttachment(folder);
  await second.open();
  t.equal(decodeInline((await second.run("next", "ls; cat a", { tree })).stdout), "a\none");
});

t.test(
  "an uploaded input is stored if it is what its name says, and checked again if somebody wrote to it",
  async (t) => {
    const { attachment, folder } = await attachAgent(t);
    const content = "input".repeat(5000);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const stored = join(folder.root, "store", sha256);
    const take = async () => {
      attachment.send({ op: "take", sha256, size: content.length });
      const reply = await attachment.waitFor((message) => message.ev === "taken");
      return reply.ev === "taken" && reply.stored;
    };
    t.equal(await take(), false, "nothing is there");
    writeFileSync(`${stored}.sent`, content.replace("i", "I"));
    t.equal(await take(), false, "other bytes of the same size");
    t.notOk(existsSync(`${stored}.sent`));
    writeFileSync(`${stored}.sent`, content);
    t.equal(await take(), true);
    t.equal(await take(), true, "it is there");
    const ran = await attachment.run("reads", "cat in.txt | wc -c", {
      files: [["in.txt", sha256, 0o644, content.length]],
    });
    t.equal(decodeInline(ran.stdout).trim(), `${content.length}`);
    writeFileSync(stored, content.replace("i", "I"));
    t.equal(await take(), false, "somebody wrote to it");
    t.notOk(existsSync(stored));
  },
);
