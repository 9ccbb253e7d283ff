import { createHash, randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import t from "tap";
import type { Job, StagedFile } from "../../../../executor/job/job.js";
import type { AgentCommand } from "../../../../executor/run/agent/protocol.js";
import type { ContentCheck } from "../../../../executor/run/node/contentcheck.js";
import { SharedPacks } from "../../../../executor/run/node/sharedpacks.js";
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

/** Too large to travel in a pack. */
const long = (text: string) => text.padEnd((1 << 20) + 1, ".");
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

  /** Packs that have arrived, by path, and how many of them arrive with other bytes. */
  readonly packs = new Map<string, Buffer>();
  damagedPacks = 0;

  async isUnpacked(sha256: string, files: [string, number][], deflated: boolean): Promise<boolean> {
    const sent = this.packs.get(`/run/store/${sha256}.sent`)!;
    this.packs.clear();
    if (this.damagedPacks-- > 0) return false;
    const bytes = deflated ? inflateSync(sent) : sent;
    let at = 0;
    for (const [content, size] of files) {
      if (hash(bytes.subarray(at, at + size)) !== content) return false;
      this.there.set(`/run/store/${content}`, content);
      at += size;
    }
    return at === bytes.length;
  }

  async upload(local: string | Buffer, remote: string, mode: number): Promise<void> {
    if (typeof local !== "string") {
      this.packs.set(remote, local);
      local = "a pack";
    }
    this.uploads.push({ local, remote, mode });
    this.most = Math.max(this.most, ++this.atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    this.atOnce--;
    if (this.failure !== undefined) throw this.failure;
    if (local === "a pack") return;
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
    stage: new FileStager(async () => node as unknown as Files, "/run", contents, send, check, new SharedPacks()),
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
  const small = file("small", "small");
  const { node, stage: one } = await stage([large, small]);
  node.space = 10 << 20;
  await one.stage([small]);
  await t.rejects(one.stage([large]), {
    code: "NO_SPACE",
    exitStatus: 69,
    message: /only 10\.0 MiB are free in \/run/,
  });
  t.same(node.uploads, []);
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

t.test("many small files travel in few uploads, compressed only where that pays", async (t) => {
  const texts = Array.from({ length: 600 }, (_, n) => file(`text${n}`, `${n} `.repeat(4000)));
  const noise = Array.from({ length: 30 }, (_, n) => file(`noise${n}`, randomBytes(400_000)));
  for (const [files, sizeLimit] of [
    [texts, 2_000_000],
    [noise, 12_100_000],
  ] as const) {
    const { node, contents, stage: one } = await stage([...files]);
    const sizes: number[] = [];
    const { upload } = node;
    node.upload = (local, remote, mode) => {
      sizes.push(local.length);
      return upload.call(node, local, remote, mode);
    };
    await one.stage(files);
    t.ok(one.isStaged(files));
    t.ok(sizes.length <= 3, `${files.length} files in ${sizes.length} uploads`);
    const sent = sizes.reduce((sum, size) => sum + size, 0);
    t.ok(sent < sizeLimit, `${sent} bytes`);
    for (const { sha256 } of contents.values()) t.ok(node.there.has(`/run/store/${sha256}`));
  }
});

t.test("a damaged pack is sent again; of a pack only files that changed or are gone fail", async (t) => {
  const files = Array.from({ length: 40 }, (_, n) => file(`pack${n}`, randomBytes(10_000)));
  const { node, stage: one } = await stage(files);
  node.damagedPacks = 2;
  file("pack3", "changed");
  rmSync(files[4]!.source);
  const [changed, gone, ...good] = [files[3]!, files[4]!, ...files.filter((_, n) => n !== 3 && n !== 4)];
  const ended = await Promise.allSettled([changed, gone, ...good].map((file_) => one.stage([file_!])));
  t.match(ended[0], { reason: { code: "CHANGED", message: /pack3 has changed since the run began/ } });
  t.match(ended[1], { reason: { code: "CHANGED", message: /pack4 is gone since the run began/ } });
  t.ok(one.isStaged(good as StagedFile[]));
  t.same(node.released.length, 2, "another run may send them");
  const other = Array.from({ length: 40 }, (_, n) => file(`other${n}`, randomBytes(10_000)));
  const second = await stage(other);
  second.node.damagedPacks = 100;
  await t.rejects(second.stage.stage(other), { code: "CORRUPT", message: /40 files were sent 3 times/ });
});
