import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { type FilePack, type PackedFile, SharedPacks } from "../../../../executor/run/node/sharedpacks.js";
import { hashFile } from "../../../../executor/run/record/filehashes.js";

const folder = mkdtempSync(join(tmpdir(), "muster-packs-"));
t.teardown(() => rmSync(folder, { recursive: true }));

async function writeFiles(name: string): Promise<PackedFile[]> {
  const sources = Array.from({ length: 30 }, (_, n) => join(folder, `${name}${n}`));
  for (const source of sources) writeFileSync(source, randomBytes(10_000));
  return Promise.all(sources.map(async (source) => ({ source, content: await hashFile(source) })));
}

/** Uses the pack of these files; resolves with it. */
async function take(packs: SharedPacks, wanted: readonly PackedFile[]): Promise<FilePack> {
  const taken: FilePack[] = [];
  await packs.use(wanted, async (pack) => void taken.push(pack));
  return taken[0]!;
}

t.test("nodes that lack the same files share one pack; two that nobody uses are kept", async (t) => {
  const packs = new SharedPacks();
  const [one, two, three] = [await writeFiles("one"), await writeFiles("two"), await writeFiles("three")];
  const [first, second] = await Promise.all([take(packs, one), take(packs, one)]);
  t.match(first, { pack: { kind: "packed", files: one.map(({ content }) => [content.sha256, 10_000]) } });
  t.equal(second, first);
  t.equal(await take(packs, one), first, "one that joins a moment later");
  t.not(await take(packs, two), first);
  t.equal(await take(packs, one), first, "the last two are kept");
  await take(packs, two);
  await take(packs, three);
  t.not(await take(packs, one), first, "and no more");
});

t.test("a pack that is being sent is kept, however many others follow", async (t) => {
  const packs = new SharedPacks();
  const one = await writeFiles("slow");
  await packs.use(one, async (pack) => {
    for (const name of ["a", "b", "c"]) await take(packs, await writeFiles(name));
    t.equal(await take(packs, one), pack);
  });
});

t.test("a file that is gone is named, and read again next time; the others are packed", async (t) => {
  const packs = new SharedPacks();
  const some = await writeFiles("some");
  const { source } = some[3]!;
  rmSync(source);
  const { pack, failures } = await take(packs, some);
  t.same([...failures.keys()], [source]);
  t.match(failures.get(source), { code: "CHANGED", message: /is gone/ });
  t.match(pack, { files: some.filter((_, n) => n !== 3).map(({ content }) => [content.sha256, 10_000]) });
  writeFileSync(source, "changed");
  const again = await take(packs, some);
  t.match(again.failures.get(source), { code: "CHANGED", message: /has changed/ });
  await t.rejects(
    packs.use(some, () => Promise.reject(new Error("lost"))),
    { message: "lost" },
  );
});
