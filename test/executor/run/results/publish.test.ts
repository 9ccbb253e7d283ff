import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { type Publication, publish } from "../../../../executor/run/results/publish.js";

/** A run directory's folders, gone after the test. */
function folders(test: Test): { results: string; partial: string } {
  const folder = mkdtempSync(join(tmpdir(), "muster-publish-"));
  test.teardown(() => rmSync(folder, { recursive: true }));
  const made = { results: join(folder, "results"), partial: join(folder, "partial") };
  for (const path of Object.values(made)) mkdirSync(path);
  return made;
}

const hash = (text: string) => createHash("sha256").update(text).digest("hex");

const inline = (target: string, text: string): Publication => ({
  target,
  output: { path: target, kind: "file", sha256: hash(text), size: text.length, content: { bytes: Buffer.from(text) } },
});

function pulled(partial: string, target: string, text: string): Publication {
  const file = join(partial, `pulled-${target.replaceAll("/", "-")}`);
  writeFileSync(file, text);
  return {
    target,
    output: { path: target, kind: "file", sha256: hash(text), size: text.length, content: { pulled: file } },
  };
}

t.test("received bytes and pulled files are published in new folders, and partial/ is empty afterwards", async (t) => {
  const { results, partial } = folders(t);
  const texts: Record<string, string> = { plain: "1", "a/b/c/deep": "2", "a/b/beside": "", empty: "", "p/pulled": "3" };
  const batch = Object.entries(texts).map(([target, text]) =>
    target.startsWith("p") ? pulled(partial, target, text) : inline(target, text),
  );
  await publish(results, partial, batch);
  for (const [target, text] of Object.entries(texts))
    t.equal(readFileSync(join(results, target), "utf8"), text, target);
  t.same(readdirSync(partial), []);
  t.equal(statSync(join(results, "plain")).nlink, 1);
});

t.test("an existing file is replaced, whatever it holds", async (t) => {
  const { results, partial } = folders(t);
  for (const make of [inline, (target: string, text: string) => pulled(partial, target, text)])
    for (const [name, before, after] of [
      ["same", "content", "content"],
      ["other", "content", "another"],
      ["longer", "content", "content and more"],
      ["emptied", "content", ""],
    ] as const) {
      const target = `chunk/${name}`;
      const file = join(results, target);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, before);
      const { ino } = statSync(file);
      await publish(results, partial, [make(target, after)]);
      t.equal(readFileSync(file, "utf8"), after, `${name}: ${make.name}`);
      t.not(statSync(file).ino, ino, "it is a new file, which is known to be on disk");
      t.same(readdirSync(partial), [], "nothing stays in partial");
    }
});

t.test("a published file that a reader has open is never changed", async (t) => {
  const { results, partial } = folders(t);
  await publish(results, partial, [inline("one", "first")]);
  const reader = openSync(join(results, "one"), "r");
  t.teardown(() => closeSync(reader));
  await publish(results, partial, [inline("one", "second"), inline("two", "2")]);
  t.same([readFileSync(reader, "utf8"), readFileSync(join(results, "one"), "utf8")], ["first", "second"]);
});

t.test("the same batch again, as after a crash before the journal, ends the same", async (t) => {
  const { results, partial } = folders(t);
  const batch = () => [inline("a/1", "one"), pulled(partial, "a/2", "two")];
  await publish(results, partial, batch());
  await publish(results, partial, batch());
  const texts = readdirSync(join(results, "a")).map((name) => readFileSync(join(results, "a", name), "utf8"));
  t.same(texts, ["one", "two"]);
  t.same(readdirSync(partial), []);
});

t.test("an empty batch changes nothing; a name below a file is an error", async (t) => {
  const { results, partial } = folders(t);
  await publish(join(results, "none"), partial, []);
  t.equal(existsSync(join(results, "none")), false);
  await publish(results, partial, [inline("file", "1")]);
  await t.rejects(publish(results, partial, [inline("file/below", "2")]), { code: /ENOTDIR|EEXIST/ });
});
