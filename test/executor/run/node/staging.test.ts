import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { Job, StagedFile } from "../../../../executor/job/job.js";
import type { AgentCommand } from "../../../../executor/run/agent/protocol.js";
import { FileStager } from "../../../../executor/run/node/staging.js";
import { hashInputs, hashStagedFiles } from "../../../../executor/run/record/filehashes.js";
import type { FileStat, Files } from "../../../../fleet/connection.js";

const folder = mkdtempSync(join(tmpdir(), "muster-stage-"));
t.teardown(() => rmSync(folder, { recursive: true }));

/** A local file that is staged as `path`. */
function file(path: string, content: string | Buffer, mode = 0o644): StagedFile {
  const source = join(folder, path.replaceAll("/", "_"));
  writeFileSync(source, content);
  chmodSync(source, mode);
  return { source, path };
}

/** Too large to go over the agent's channel. */
const long = (text: string) => text.padEnd(20_000, ".");
const hash = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");
const jobOf = (files: StagedFile[]) => ({ stagedFiles: () => files }) as unknown as Job;

/** The files of a node that holds what was put there, and remembers what was asked. */
class FakeFiles {
  readonly there = new Map<string, FileStat>();
  readonly uploads: { local: string; remote: string; mode: number }[] = [];
  space: number | undefined = 1 << 30;
  failure: Error | undefined;
  atOnce = 0;
  most = 0;

  async stat(path: string): Promise<FileStat | undefined> {
    return this.there.get(path);
  }

  async free(): Promise<number | undefined> {
    return this.space;
  }

  async upload(local: string, remote: string, mode: number): Promise<void> {
    this.uploads.push({ local, remote, mode });
    this.most = Math.max(this.most, ++this.atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    this.atOnce--;
    if (this.failure !== undefined) throw this.failure;
    this.there.set(remote, { kind: "file", size: 0, mode });
  }
}

async function stage(files: StagedFile[]) {
  const node = new FakeFiles();
  const contents = await hashStagedFiles(jobOf(files));
  const sent: AgentCommand[] = [];
  const send = (message: AgentCommand) => void sent.push(message);
  return { node, contents, sent, stage: new FileStager(async () => node as unknown as Files, "/run", contents, send) };
}

t.test("hashes: content, size and mode of each source file, read once", async (t) => {
  const tool = file("tool", "#!/bin/sh\n", 0o750);
  const data = file("data", Buffer.alloc(3_000_000, 7), 0o600);
  const files = [
    tool,
    data,
    { ...data, path: "again/data" },
    ...Array.from({ length: 20 }, (_, n) => file(`f${n}`, `${n}`)),
  ];
  const contents = await hashStagedFiles(jobOf(files));
  t.equal(contents.size, 22);
  t.same(contents.get(tool.source), { sha256: hash("#!/bin/sh\n"), sizeBytes: 10, mode: 0o755 });
  t.same(contents.get(data.source), { sha256: hash(Buffer.alloc(3_000_000, 7)), sizeBytes: 3_000_000, mode: 0o644 });
  for (let n = 0; n < 20; n++) t.equal(contents.get(files[n + 3]!.source)!.sha256, hash(`${n}`));
  const prints = hashInputs(jobOf(files), contents, () => false);
  t.equal(prints["again/data"], prints.data);
  t.equal(Object.keys(prints).length, 23);
});

t.test("each content is uploaded once, however many chunks and paths need it", async (t) => {
  const script = file("script", long("same"), 0o755);
  const twin = file("twin", long("same"));
  const other = file("other", long("different"));
  const { node, stage: one } = await stage([script, twin, other]);
  const works = [[script, twin, other], [other, twin], [script]];
  t.ok(one.isStaged([]), "no file, nothing to wait for");
  for (const work of works) t.notOk(one.isStaged(work));
  await Promise.all([...works, ...works].map((work) => one.stage(work)));
  for (const work of works) t.ok(one.isStaged(work));
  await one.stage(works[0]!);
  t.same(
    node.uploads.map(({ remote }) => remote).sort(),
    [hash(long("different")), hash(long("same"))].map((sha) => `/run/store/${sha}`).sort(),
  );
});

t.test("a file that is already on the node is not sent again, unless its size is wrong or it is no file", async (t) => {
  const good = file("good", long("content"));
  const torn = file("torn", long("contents"));
  const link = file("link", long("link"));
  const { node, stage: one } = await stage([good, torn, link]);
  node.there.set(`/run/store/${hash(long("content"))}`, { kind: "file", size: 20_000, mode: 0o444 });
  node.there.set(`/run/store/${hash(long("contents"))}`, { kind: "file", size: 3, mode: 0o444 });
  node.there.set(`/run/store/${hash(long("link"))}`, { kind: "link", size: 20_000, mode: 0o777 });
  await one.stage([good, torn, link]);
  t.same(
    node.uploads.map(({ local }) => local),
    [torn.source, link.source],
  );
});

t.test("a failed upload is repeated on the next request; concurrent requests share its result", async (t) => {
  const one = file("failing", long("failing"));
  const { node, stage: it } = await stage([one]);
  node.failure = new Error("connection lost");
  const both = await Promise.allSettled([it.stage([one]), it.stage([one])]);
  t.same(
    both.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  t.equal(node.uploads.length, 1);
  t.notOk(it.isStaged([one]));
  node.failure = undefined;
  await it.stage([one]);
  t.ok(it.isStaged([one]));
  t.equal(node.uploads.length, 2);
});

t.test("the number of concurrent uploads is limited", async (t) => {
  const files = Array.from({ length: 60 }, (_, n) => file(`many${n}`, long(`many ${n}`)));
  const { node, stage: one } = await stage(files);
  await one.stage(files);
  t.equal(node.uploads.length, 60);
  t.ok(node.most > 1 && node.most <= 16, `${node.most}`);
});

t.test("a disk without enough space is refused before anything is sent; one of unknown size is tried", async (t) => {
  const large = file("large", Buffer.alloc(2 << 20));
  const small = file("small", long("small"));
  const { node, stage: one } = await stage([large, small]);
  node.space = 10 << 20;
  await one.stage([small]);
  await t.rejects(one.stage([large]), {
    code: "NO_SPACE",
    exitStatus: 69,
    message: /only 10485760 bytes are free in \/run/,
  });
  t.same(
    node.uploads.map(({ local }) => local),
    [small.source],
  );
  node.space = undefined;
  await one.stage([large]);
  t.ok(one.isStaged([large, small]));
});

t.test(
  "a small file is sent over the agent's channel, once; a file that changed since it was hashed is not",
  async (t) => {
    const [small, other] = [file("tiny", "tiny"), file("later", "before")];
    const { node, sent, stage: one } = await stage([small, other]);
    await Promise.all([one.stage([small]), one.stage([small])]);
    t.ok(one.isStaged([small]));
    t.same(sent, [{ op: "put", sha256: hash("tiny"), data: Buffer.from("tiny").toString("base64") }]);
    t.same(node.uploads, []);
    file("later", "after!");
    await t.rejects(one.stage([other]), { code: "CHANGED" });
    t.equal(sent.length, 1);
  },
);
