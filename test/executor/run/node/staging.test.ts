import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { Job, StagedFile } from "../../../../executor/job/job.js";
import type { AgentCommand } from "../../../../executor/run/agent/protocol.js";
import type { ContentCheck } from "../../../../executor/run/node/contentcheck.js";
import { FileStager } from "../../../../executor/run/node/staging.js";
import { hashInputs, hashStagedFiles } from "../../../../executor/run/record/filehashes.js";
import type { Files } from "../../../../fleet/connection.js";

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

/** A node that keeps what is uploaded, and checks it as an agent does. `damaged`: how many uploads arrive with other bytes. */
class FakeNode {
  /** SHA-256 of what is stored, and of what has arrived, by path. */
  readonly there = new Map<string, string>();
  readonly uploads: { local: string; remote: string; mode: number }[] = [];
  space: number | undefined = 1 << 30;
  failure: Error | undefined;
  damaged = 0;
  atOnce = 0;
  most = 0;

  async free(): Promise<number | undefined> {
    return this.space;
  }

  async upload(local: string, remote: string, mode: number): Promise<void> {
    this.uploads.push({ local, remote, mode });
    this.most = Math.max(this.most, ++this.atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    this.atOnce--;
    if (this.failure !== undefined) throw this.failure;
    this.there.set(remote, this.damaged-- > 0 ? "other" : hash(readFileSync(local)));
  }

  readonly released: string[] = [];

  release(sha256: string): void {
    this.released.push(sha256);
  }

  async find({ sha256 }: { sha256: string }): Promise<boolean> {
    return this.there.get(`/run/store/${sha256}`) === sha256;
  }

  async isStored({ sha256 }: { sha256: string }): Promise<boolean> {
    const [sent, stored] = [`/run/store/${sha256}.sent`, `/run/store/${sha256}`];
    if (this.there.get(sent) === sha256) this.there.set(stored, sha256);
    this.there.delete(sent);
    return this.there.get(stored) === sha256;
  }
}

async function stage(files: StagedFile[]) {
  const node = new FakeNode();
  const contents = await hashStagedFiles(jobOf(files));
  const sent: AgentCommand[] = [];
  const send = (message: AgentCommand) => void sent.push(message);
  const check = node as unknown as ContentCheck;
  return {
    node,
    contents,
    sent,
    stage: new FileStager(async () => node as unknown as Files, "/run", contents, send, check),
  };
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
    [hash(long("different")), hash(long("same"))].map((sha) => `/run/store/${sha}.sent`).sort(),
  );
});

t.test("a file that is stored on the node is not sent again", async (t) => {
  const [good, lost] = [file("good", long("content")), file("lost", long("contents"))];
  const { node, stage: one } = await stage([good, lost]);
  node.there.set(`/run/store/${hash(long("content"))}`, hash(long("content")));
  await one.stage([good, lost]);
  t.same(
    node.uploads.map(({ local }) => local),
    [lost.source],
  );
});

t.test("a file that arrives with other bytes is sent again, three times at most", async (t) => {
  const [once, ever] = [file("once", long("once")), file("ever", long("ever"))];
  const { node, stage: one } = await stage([once, ever]);
  node.damaged = 1;
  await one.stage([once]);
  t.equal(node.uploads.length, 2);
  node.damaged = 100;
  await t.rejects(one.stage([ever]), { code: "CORRUPT", message: /was sent 3 times, and other bytes arrived/ });
  t.equal(node.uploads.length, 5);
  t.notOk(one.isStaged([ever]));
});

t.test("a large file that changed since it was hashed is refused, and never taken for what it was", async (t) => {
  const one = file("changing", long("before"));
  const { node, stage: it } = await stage([one]);
  file("changing", long("after"));
  await t.rejects(it.stage([one]), { code: "CHANGED", message: /changing has changed since the run began/ });
  t.notOk(it.isStaged([one]));
  t.same([...node.there], []);
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
    message: /only 10\.0 MiB are free in \/run/,
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
